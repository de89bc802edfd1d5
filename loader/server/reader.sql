-- The role that dashboards use: it reads the published tables, those of builds to come included, and
-- what became of files and runs; no document, and it changes nothing.

do $$
begin
    if not exists (select from pg_roles where rolname = 'battery_dashboard') then
        create role battery_dashboard login;
    end if;
end
$$;

alter role battery_dashboard set default_transaction_read_only = on;
create schema if not exists battery;
grant usage on schema battery, raw to battery_dashboard;
grant select on all tables in schema battery to battery_dashboard;
alter default privileges in schema battery grant select on tables to battery_dashboard;
grant select on raw.files, raw.runs, raw.rejections to battery_dashboard;

-- where `loader init --roles` gave the tables an owner of their own
do $$
begin
    if exists (select from pg_roles where rolname = 'battery_transformer') then
        alter default privileges for role battery_transformer in schema battery
            grant select on tables to battery_dashboard;
    end if;
end
$$;
