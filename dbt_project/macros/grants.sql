{#
    Who may read the published tables: the role of the variable `reader_role`, and `battery_reader` of `loader init --roles`
    where the schema is open to it. Rights are given beside what others granted; dbt's own `+grants` would take that back,
    does not quote names, and stops the tables where a role is not there.
#}

{# Post-hook of a published table. #}
{% macro grant_to_readers() -%}
    {%- if execute and flags.WHICH != 'clone' -%}
        {%- for row in run_query(readers()).rows -%}
            {%- do run_query(where_allowed('grant select on ' ~ this ~ ' to ' ~ row[0])) -%}
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
    Post-hook of every table and view: it belongs to the owner of its schema where the builder is one of that role's members,
    so that whoever of them builds next may change it.
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

{% macro readers() -%}
    select quote_ident(roles.rolname)
    from pg_roles as roles
    where roles.rolname = 'battery_reader' and has_schema_privilege(roles.oid, '{{ this.schema }}', 'usage')

    union

    {{ roles_named(var('reader_role', none)) }}
{%- endmacro %}

{% macro roles_named(name) -%}
    select quote_ident(roles.rolname)
    from pg_roles as roles
    where roles.rolname = '{{ name | string | replace("'", "''") }}'
{%- endmacro %}

{% macro closed_to(name) -%}
    select tables.oid::regclass
    from pg_class as tables
    inner join pg_roles as roles on roles.rolname = '{{ name | string | replace("'", "''") }}'
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
