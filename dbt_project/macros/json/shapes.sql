{#
    From a section of a document to column sets (docs/design.md, Shapes). A column set is a cycle or none, plus an object of
    arrays; every shape becomes column sets here, and nothing after this file knows of shapes.
    Documents are large: an argument is a column of a subquery behind a fence (fence.sql), so that it is in memory, once. What
    can be asked with jsonb_path_query_array is, for it copies nothing, where `->` copies a member, jsonb_path_query the whole
    document and jsonb_each all members to disk.
#}

{# Where a document has no section, or null: the object of its top-level keys `section.column`. #}
{% macro flattened_section(document, section) -%}
    (
        select jsonb_object_agg(substr(member.key, length({{ section }}) + 2), {{ document }} -> member.key)
        from jsonb_object_keys({{ document }}) as member (key)
        where starts_with(member.key, {{ section }} || '.')
    )
{%- endmacro %}

{% macro is_decimal(text) -%}
    {{ text }} ~ '^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$'
{%- endmacro %}

{# 'columnar', 'by cycle', 'records', 'indexed columns', 'empty', 'unknown'; NULL where there is no section. #}
{% macro shape_of(section) -%}
    case jsonb_typeof({{ section }})
        when 'object' then (
            select
                case
                    when count(*) = 0 then 'empty'
                    when bool_or(member.type = 'array') then 'columnar'
                    when not bool_and(member.type = 'object') then 'unknown'
                    when bool_and({{ is_decimal('member.key') }}) then 'by cycle'
                    when bool_and(member.is_indexed) then 'indexed columns'
                    else 'unknown'
                end
            from (
                select
                    member.key,
                    member.type,
                    case member.type
                        when 'object' then not exists (
                            select 1
                            from jsonb_object_keys({{ section }} -> member.key) as inside (key)
                            where inside.key !~ '^[0-9]{1,255}$'
                        )
                    end as is_indexed
                from {{ members(section) }}
                {{ fence() }}
            ) as member
        )
        when 'array' then (
            select
                case
                    when count(*) = 0 then 'empty'
                    when bool_and(element.type = 'object') then 'records'
                    else 'unknown'
                end
            from jsonb_array_elements_text(jsonb_path_query_array({{ section }}, 'strict $[*].type()')) as element (type)
        )
        else case when {{ section }} is not null then 'unknown' end
    end
{%- endmacro %}

{# Rows of a table: its longest array. #}
{% macro row_count(columns) -%}
    coalesce((
        select max(member.size::integer)
        from jsonb_array_elements_text(
            jsonb_path_query_array({{ columns }}, 'strict $.* ? (@.type() == "array").size()')
        ) as member (size)
    ), 0)
{%- endmacro %}

{# From clause: key and JSON type of each member of an object, which both functions give in the same order. #}
{% macro members(object) -%}
    (
        select
            jsonb_object_keys({{ object }}) as key,
            jsonb_array_elements_text(jsonb_path_query_array({{ object }}, 'strict $.*.type()')) as type
    ) as member
{%- endmacro %}

{# Lateral subquery: first_row (index of the set's first row in the whole file), cycle, columns, row_count. #}
{% macro column_sets(section, shape, first_point) -%}
    {{ set_of_columnar(section, shape, first_point) }}
    union all
    {{ sets_of_cycles(section, shape, first_point) }}
    union all
    {{ set_of_records(section, shape, first_point) }}
    union all
    {{ set_of_indexed_columns(section, shape, first_point) }}
{%- endmacro %}

{# The object of arrays itself. #}
{% macro set_of_columnar(section, shape, first_point) -%}
    select
        {{ first_point }} as first_row,
        null::jsonb as cycle,
        {{ section }} as columns,
        {{ row_count(section) }} as row_count
    where {{ shape }} = 'columnar'
{%- endmacro %}

{# A set a cycle, in the order of their numbers; a scalar is an array of one. #}
{% macro sets_of_cycles(section, shape, first_point) -%}
    select
        {{ first_point }} + coalesce(
            sum(cycle_set.row_count) over (order by cycle_set.cycle_number, cycle_set.cycle rows between unbounded preceding and 1 preceding), 0
        )::bigint as first_row,
        to_jsonb(cycle_set.cycle) as cycle,
        cycle_set.columns,
        cycle_set.row_count
    from (
        select
            one_cycle.key collate "C" as cycle,
            {{ text_to_number('one_cycle.key') }} as cycle_number,
            arrays.columns,
            arrays.row_count
        from jsonb_each(case when {{ shape }} = 'by cycle' then {{ section }} end) as one_cycle
        cross join lateral (
            select
                coalesce(jsonb_object_agg(member.key, member.value), '{}') as columns,
                coalesce(max(jsonb_array_length(member.value)), 0) as row_count
            from (
                select
                    column_of_cycle.key,
                    case jsonb_typeof(column_of_cycle.value)
                        when 'array' then column_of_cycle.value
                        else jsonb_build_array(column_of_cycle.value)
                    end as value
                from jsonb_each(one_cycle.value) as column_of_cycle
                where jsonb_typeof(column_of_cycle.value) <> 'object'
            ) as member
        ) as arrays
    ) as cycle_set
    where {{ shape }} = 'by cycle'
{%- endmacro %}

{# One array for each key of any record, null where a record lacks it. `having` leaves no row for another shape. #}
{% macro set_of_records(section, shape, first_point) -%}
    select
        {{ first_point }} as first_row,
        null::jsonb as cycle,
        coalesce(jsonb_object_agg(record_column.key, record_column.column_values), '{}') as columns,
        jsonb_array_length({{ section }}) as row_count
    from (
        select
            record_key.key,
            (
                select jsonb_agg(element.value -> record_key.key order by element.ordinality)
                from jsonb_array_elements({{ section }}) with ordinality as element
            ) as column_values
        from (
            select distinct inside.key
            from jsonb_array_elements(case when {{ shape }} = 'records' then {{ section }} end) as element
            cross join lateral jsonb_object_keys(element.value) as inside (key)
        ) as record_key
    ) as record_column
    where {{ shape }} = 'records'
    having {{ shape }} = 'records'
{%- endmacro %}

{# One array a column, in the order of the row keys of all columns. #}
{% macro set_of_indexed_columns(section, shape, first_point) -%}
    select
        {{ first_point }} as first_row,
        null::jsonb as cycle,
        coalesce(jsonb_object_agg(indexed_column.key, indexed_column.column_values), '{}') as columns,
        coalesce(max(jsonb_array_length(indexed_column.column_values)), 0) as row_count
    from (
        select
            member.key,
            (
                select coalesce(jsonb_agg(member.value -> row_key.key order by row_key.position), '[]')
                from unnest(row_keys.keys) with ordinality as row_key (key, position)
            ) as column_values
        from (
            select array_agg(row_key.key order by row_key.key::numeric, row_key.key collate "C") as keys
            from (
                select distinct inside.key
                from jsonb_each(case when {{ shape }} = 'indexed columns' then {{ section }} end) as every_member
                cross join lateral jsonb_object_keys(every_member.value) as inside (key)
            ) as row_key
        ) as row_keys
        cross join lateral jsonb_each(case when {{ shape }} = 'indexed columns' then {{ section }} end) as member
    ) as indexed_column
    where {{ shape }} = 'indexed columns'
    having {{ shape }} = 'indexed columns'
{%- endmacro %}

{# One column of a set; a member that is no array is left aside. #}
{% macro column_of(columns, name) -%}
    jsonb_path_query_first({{ columns }}, 'strict $."{{ name }}" ? (@.type() == "array")', silent => true)
{%- endmacro %}
