{#
    Who may read the published tables: the role of the variable `reader_role`, and `battery_reader` of `loader init --roles`
    where the schema is open to it. Rights are given beside what others granted; dbt's own `+grants` would take that back,
    does not quote names, and stops the tables where a role is not there.
#}

{# After a run, for every published table. #}
{% macro grant_to_readers() -%}
    {%- if execute -%}
        {%- for row in run_query(missing_grants()).rows -%}
            {%- do run_query(where_allowed('grant select on ' ~ row[0] ~ ' to ' ~ row[1])) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# After a run: lets the role of `reader_role` into the schema, and says what it may not read. #}
{% macro open_schema_to_reader() -%}
    {%- set reader = var('reader_role', none) -%}
    {%- if execute and reader is not none -%}
        {%- for row in run_query(roles_named(reader)).rows -%}
            {%- do run_query(where_allowed('grant usage on schema ' ~ adapter.quote(target.schema) ~ ' to ' ~ row[0])) -%}
            {%- for closed in run_query(closed_to(reader)).rows -%}
                {%- do exceptions.warn('The role ' ~ reader ~ ' may not read ' ~ closed[0] ~ ': grant it as its owner.') -%}
            {%- endfor -%}
        {%- else -%}
            {%- do exceptions.warn('reader_role: there is no role ' ~ reader ~ '; nothing was granted.') -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#
    Of what is made anew: it belongs to the owner of its schema where the builder is one of that role's members, so that
    whoever of them builds next may change it.
#}
{% macro give_to_schema_owner() -%}
    {%- if execute and flags.WHICH != 'clone' -%}
        {%- for row in run_query(schema_owner()).rows -%}
            {%- do run_query(where_allowed('alter table ' ~ this ~ ' owner to ' ~ row[0])) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro schema_owner() -%}
    select quote_ident(pg_get_userbyid(schemas.nspowner))
    from pg_class as tables
    inner join pg_namespace as schemas on tables.relnamespace = schemas.oid
    where
        tables.oid = '{{ this }}'::regclass
        and tables.relowner <> schemas.nspowner
        and pg_get_userbyid(schemas.nspowner) not like 'pg\_%'
        and pg_has_role(schemas.nspowner, 'member')
{%- endmacro %}

{% macro missing_grants() -%}
    {%- set published = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('schema', 'equalto', target.schema)
        | map(attribute='alias')
        | list -%}
    select
        tables.oid::regclass,
        quote_ident(roles.rolname)
    from pg_class as tables
    inner join pg_roles as roles
        on
            (roles.rolname = 'battery_reader' and has_schema_privilege(roles.oid, tables.relnamespace, 'usage'))
            {%- if var('reader_role', none) is not none %}
            or {{ is_named(var('reader_role')) }}
            {%- endif %}
    where
        tables.relnamespace = to_regnamespace('{{ adapter.quote(target.schema) }}')
        and tables.relname = any({{ text_array(published) }})
        and not has_table_privilege(roles.oid, tables.oid, 'select')
{%- endmacro %}

{# Condition: one of `roles` has the name, whatever it is made of. #}
{% macro is_named(name) -%}
    roles.rolname = '{{ name | string | replace("'", "''") }}'
{%- endmacro %}

{% macro roles_named(name) -%}
    select quote_ident(roles.rolname)
    from pg_roles as roles
    where {{ is_named(name) }}
{%- endmacro %}

{% macro closed_to(name) -%}
    select tables.oid::regclass
    from pg_class as tables
    inner join pg_roles as roles on {{ is_named(name) }}
    where
        tables.relnamespace = '{{ adapter.quote(target.schema) }}'::regnamespace
        and tables.relkind = 'r'
        and not has_table_privilege(roles.oid, tables.oid, 'select')
{%- endmacro %}

{# A statement on rights: refused, it changes nothing and stops nothing. #}
{% macro where_allowed(statement) -%}
    do $$
    begin
        {{ statement }};
    exception
        when insufficient_privilege then null;
    end
    $$
{%- endmacro %}
