// Runs the loader by PM2: pm2 start ecosystem.config.js (see README.md, "By itself, under PM2").
const fs = require('fs');

// A file .env beside this one: NAME=value a line, # begins a remark. What the environment has already stands.
const settings = `${__dirname}/.env`;
for (const line of fs.existsSync(settings) ? fs.readFileSync(settings, 'utf8').split('\n') : []) {
  const [, name, , value] = line.match(/^\s*(\w+)\s*=\s*(["']?)(.*?)\2\s*(\s#.*)?$/) ?? [];
  if (name) process.env[name] ??= value;
}

// The loader of this checkout's virtual environment, else the one on the PATH.
const folders = [`${__dirname}/.venv/bin`, ...process.env.PATH.split(':')];
const loader = folders.map((folder) => `${folder}/loader`).find((file) => fs.existsSync(file));
if (!loader) throw new Error('no command `loader`: see README.md on how to install it');

const common = {
  script: loader,
  interpreter: 'none',
  cwd: __dirname,
  // Signals are for the loader alone: it knows what to finish. PM2 would hit dbt and, where the
  // loader started it, the database server, too.
  treekill: false,
};

module.exports = {
  apps: [
    {
      ...common,
      name: 'battery-loader',
      args: ['push', '--build', '--log-format', 'json', process.env.BATTERY_DATA || 'data'],
      autorestart: false,
      // A tick that finds the last run still at work: PM2 sends it SIGINT, waits for its end,
      // starts it anew, and counts no further ticks meanwhile. On SIGINT the loader finishes the
      // files in hand, or its build, and ends; the new run lands the files that are left. So
      // nothing is cut short as long as PM2 waits, here for a day, before it kills.
      cron_restart: process.env.BATTERY_CRON || '*/15 * * * *',
      kill_timeout: 24 * 60 * 60 * 1000,
    },
    {
      ...common,
      name: 'battery-docs',
      args: ['docs', '--port', process.env.BATTERY_DOCS_PORT || '8080'],
      exp_backoff_restart_delay: 1000, // ms; where the database is away it is tried again
      cron_restart: '10 3 * * *', // every night with what the tables hold by then
    },
  ],
};
