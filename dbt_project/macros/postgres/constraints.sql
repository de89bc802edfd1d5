{#
    Constraints are declared in YAML, where dbt looks for them, but added after the rows are in, in one pass over the
    table: declared first, they would be checked row by row, several times slower (README, Decisions). What is missing is
    added at every build.
#}

{# Called by dbt's `create table` for a model under contract: columns and types only. #}
{% macro postgres__get_table_columns_and_constraints() -%}
    (
    {%- for column in model.columns.values() %}
        {{ adapter.quote(column.name) if column.quote else column.name }} {{ column.data_type }}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{# A foreign key on the same columns that leads elsewhere, or keeps the rows of a parent that is gone, gives way. #}
{% macro add_missing_constraints() -%}
    {%- if execute and flags.WHICH != 'clone' -%}
    {%- set declared = declared_constraints(model) -%}
    {%- set existing, clauses = [], [] -%}
    {%- for row in run_query(constraints_of(this)).rows -%}
        {%- do existing.append(row.key) -%}
        {%- for constraint in declared if row.foreign_columns and row.foreign_columns == constraint.foreign_columns
            and row.key != constraint.key -%}
            {%- do clauses.append('drop constraint ' ~ adapter.quote(row.name)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for constraint in declared if constraint.key not in existing -%}
        {%- do clauses.append(constraint.clause) -%}
    {%- endfor -%}
    {%- if clauses -%}
        alter table {{ this }}
        {{ clauses | join(',\n        ') }}
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    One key per constraint a table has: `not null id`, `primary key id`, `check name`,
    `foreign key battery_id to battery.batteries on delete cascade`.
#}
{% macro constraints_of(relation) -%}
    select
        'not null ' || attribute.attname as key,
        null as name,
        null as foreign_columns
    from pg_attribute as attribute
    where attribute.attrelid = '{{ relation }}'::regclass and attribute.attnotnull

    union all

    select
        case constraints.contype
            when 'p' then 'primary key ' || columns.names
            when 'u' then 'unique ' || columns.names
            when 'c' then 'check ' || constraints.conname
            when 'f' then 'foreign key ' || columns.names || ' to ' || parents.schema_name || '.' || parents.table_name
        end
        || case constraints.confdeltype when 'c' then ' on delete cascade' else '' end as key,
        constraints.conname as name,
        case constraints.contype when 'f' then columns.names end as foreign_columns
    from pg_constraint as constraints
    cross join lateral (
        select string_agg(attribute.attname, ', ' order by keys.position) as names
        from unnest(constraints.conkey) with ordinality as keys (attnum, position)
        inner join pg_attribute as attribute
            on constraints.conrelid = attribute.attrelid and keys.attnum = attribute.attnum
    ) as columns
    left join (
        select
            tables.oid,
            tables.relname as table_name,
            schemas.nspname as schema_name
        from pg_class as tables
        inner join pg_namespace as schemas on tables.relnamespace = schemas.oid
    ) as parents on constraints.confrelid = parents.oid
    where constraints.conrelid = '{{ relation }}'::regclass and constraints.contype in ('p', 'u', 'f', 'c')
{%- endmacro %}

{#
    The constraints a model declares in YAML, as a list of {key, clause, foreign_columns}. A foreign key leads into the
    model's own schema, wherever dbt reads the parent from (`--defer`): a delete in production is none in development.
    Where the schema has no such table, there is nothing to lead to.
#}
{% macro declared_constraints(node) -%}
    {%- set declared = [] -%}
    {%- for column in node.columns.values() -%}
        {%- for constraint in column.constraints if constraint.type == 'not_null' -%}
            {%- do declared.append({
                'key': 'not null ' ~ column.name,
                'clause': 'alter column ' ~ adapter.quote(column.name) ~ ' set not null',
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for constraint in node.constraints -%}
        {%- set columns = constraint.columns | join(', ') -%}
        {%- if constraint.type == 'check' -%}
            {%- do declared.append({
                'key': 'check ' ~ constraint.name,
                'clause': 'add constraint ' ~ constraint.name ~ ' check (' ~ constraint.expression ~ ')',
            }) -%}
        {%- elif constraint.type == 'foreign_key' -%}
            {#- `ref('batteries')`, or what dbt makes of it -#}
            {%- set name = modules.re.findall('\\w+', constraint.to) | last -%}
            {%- set parent = adapter.get_relation(node.database, node.schema, name) -%}
            {%- if parent and parent.is_table -%}
                {%- do declared.append({
                    'key': 'foreign key ' ~ columns ~ ' to ' ~ parent.schema ~ '.' ~ parent.identifier ~ ' on delete cascade',
                    'clause': 'add foreign key (' ~ columns ~ ') references ' ~ parent
                        ~ ' (' ~ constraint.to_columns | join(', ') ~ ') on delete cascade',
                    'foreign_columns': columns,
                }) -%}
            {%- endif -%}
        {%- else -%}
            {%- set kind = constraint.type.replace('_', ' ') -%}
            {%- do declared.append({'key': kind ~ ' ' ~ columns, 'clause': 'add ' ~ kind ~ ' (' ~ columns ~ ')'}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(declared) }}
{%- endmacro %}
