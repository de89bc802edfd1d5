{#
    Constraints are declared in YAML, where dbt looks for them, but added after the rows are in, in one pass over the
    table: declared first, they would be checked row by row, several times slower (README, Decisions). What is missing is
    added at every build, for a rebuilt parent takes its children's foreign keys with it.
#}

{# Called by dbt's `create table` for a model under contract: columns and types only. #}
{% macro postgres__get_table_columns_and_constraints() -%}
    (
    {%- for column in model.columns.values() %}
        {{ adapter.quote(column.name) if column.quote else column.name }} {{ column.data_type }}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{% macro add_missing_constraints() -%}
    {%- if execute -%}
    {%- set existing = [] -%}
    {%- for row in run_query(constraints_of(this)).rows -%}
        {%- do existing.append(row[0]) -%}
    {%- endfor -%}
    {%- set missing = [] -%}
    {%- for constraint in declared_constraints(model) if constraint.key not in existing -%}
        {%- do missing.append(constraint.clause) -%}
    {%- endfor -%}
    {%- if missing -%}
        alter table {{ this }}
        {{ missing | join(',\n        ') }}
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# One key per constraint a table has: `not null id`, `primary key id`, `check name`, `foreign key battery_id`. #}
{% macro constraints_of(relation) -%}
    select 'not null ' || attribute.attname as key
    from pg_attribute as attribute
    where attribute.attrelid = '{{ relation }}'::regclass and attribute.attnotnull

    union all

    select
        case constraints.contype when 'p' then 'primary key ' when 'u' then 'unique ' when 'f' then 'foreign key ' else 'check ' end
        || case
            when constraints.contype = 'c' then constraints.conname
            else (
                select string_agg(attribute.attname, ', ' order by keys.position)
                from unnest(constraints.conkey) with ordinality as keys (attnum, position)
                inner join pg_attribute as attribute
                    on constraints.conrelid = attribute.attrelid and keys.attnum = attribute.attnum
            )
        end as key
    from pg_constraint as constraints
    where constraints.conrelid = '{{ relation }}'::regclass and constraints.contype in ('p', 'u', 'f', 'c')
{%- endmacro %}

{# The constraints a model declares in YAML, as a list of {key, clause}. #}
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
            {%- set key = 'check ' ~ constraint.name -%}
            {%- set clause = 'add constraint ' ~ constraint.name ~ ' check (' ~ constraint.expression ~ ')' -%}
        {%- elif constraint.type == 'foreign_key' -%}
            {%- set key = 'foreign key ' ~ columns -%}
            {%- set clause = 'add foreign key (' ~ columns ~ ') references ' ~ constraint.to
                ~ ' (' ~ constraint.to_columns | join(', ') ~ ') on delete cascade' -%}
        {%- else -%}
            {%- set key = constraint.type.replace('_', ' ') ~ ' ' ~ columns -%}
            {%- set clause = 'add ' ~ constraint.type.replace('_', ' ') ~ ' (' ~ columns ~ ')' -%}
        {%- endif -%}
        {%- do declared.append({'key': key, 'clause': clause}) -%}
    {%- endfor -%}
    {{ return(declared) }}
{%- endmacro %}
