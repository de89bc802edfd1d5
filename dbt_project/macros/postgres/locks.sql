{#
    A build waits a minute for a lock, not for ever: a notebook's or a viewer's open transaction may stay open for days.
#}

{#
    For the transaction of a model, seed or test. It compiles no query either: where the server can, as Debian's, that is
    nine tenths of what a build of small files costs it.
#}
{% macro wait_a_minute() -%}
    set local lock_timeout = '1min';
    set local jit = off
{%- endmacro %}

{# After a run with errors: other sessions whose open transactions hold locks on what was built. #}
{% macro show_lock_holders(results) -%}
    {%- if results | selectattr('status', 'equalto', 'error') | list -%}
        {%- set holders = run_query(lock_holders()) -%}
        {%- if holders.rows -%}
            {%- do print('\nOpen transactions hold locks on the tables; a build waits a minute for a lock.') -%}
            {%- do print_rows(holders) -%}
            {%- do print('  Commit or close them, or: select pg_terminate_backend(pid);') -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro lock_holders() -%}
    select
        sessions.pid,
        sessions.usename as user,
        sessions.application_name as application,
        sessions.state,
        date_trunc('second', sessions.xact_start)::text as since,
        string_agg(distinct locks.relation::regclass::text, ', ') as locked
    from pg_locks as locks
    inner join pg_stat_activity as sessions on locks.pid = sessions.pid
    inner join pg_class as tables on locks.relation = tables.oid
    inner join pg_namespace as schemas on tables.relnamespace = schemas.oid
    where
        locks.granted
        and locks.database = (select oid from pg_database where datname = current_database())
        and tables.relkind in ('r', 'v', 'm')
        and (schemas.nspname = 'raw' or schemas.nspname like '{{ target.schema | replace("_", "\\_") }}%')
        and sessions.pid <> pg_backend_pid()
    group by sessions.pid, sessions.usename, sessions.application_name, sessions.state, sessions.xact_start
    order by sessions.xact_start
{%- endmacro %}
