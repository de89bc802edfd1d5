{# The CTEs from a CTE `pending_parts` (file_id, part_no) to a CTE `column_sets` of one section of these parts. #}
{% macro section_column_sets(section) -%}
raw_documents as (
    select * from {{ source('raw', 'documents') }}
),

loaded as (
    select
        raw_documents.file_id,
        raw_documents.first_point,
        {{ in_memory('raw_documents.document') }} as document
    from raw_documents
    where
        raw_documents.file_id = any(array(select pending_parts.file_id from pending_parts))
        and {{ row_id('raw_documents.file_id', 'raw_documents.part_no') }} = any(
            array(select {{ row_id('pending_parts.file_id', 'pending_parts.part_no') }} from pending_parts)
        )
    {{ fence() }}
),

contents as (
    select
        loaded.file_id,
        loaded.first_point,
        coalesce(
            nullif(loaded.document -> '{{ section }}', 'null'),
            {{ flattened_section('loaded.document', "'" ~ section ~ "'") }}
        ) as content
    from loaded
    {{ fence() }}
),

shaped as (
    select
        contents.*,
        {{ shape_of('contents.content') }} as shape
    from contents
    {{ fence() }}
),

column_sets as (
    select
        shaped.file_id,
        column_sets.first_row,
        column_sets.cycle,
        column_sets.columns,
        column_sets.row_count
    from shaped
    cross join lateral ({{ column_sets('shaped.content', 'shaped.shape', 'shaped.first_point') }}) as column_sets
    {{ fence() }}
)
{%- endmacro %}

{#
    The CTEs that turn one section of the pending documents into rows: from column sets, the one piece of SQL for every
    shape. Wants a CTE `pending_parts` (file_id, part_no); ends with a CTE `numbers`: file_id, row_index (in document
    order, over the whole file), cycle_index and the section's `numbers` as exact decimals, its `others` as they are (jsonb),
    for every `every`th row.
#}
{% macro section_rows(section, every=1) -%}
{%- set numbers, others = sections()[section].numbers, sections()[section].others -%}
{%- set columns = numbers + others -%}
{{ section_column_sets(section) }},

arrays as (
    select
        column_sets.file_id,
        column_sets.first_row,
        column_sets.cycle,
        column_sets.row_count,
        {%- for column in ['cycle_index'] + columns %}
        {{ column_of('column_sets.columns', column) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from column_sets
    {{ fence() }}
),

elements as (
    select
        arrays.file_id,
        arrays.first_row + positions.position as row_index,
        coalesce(arrays.cycle, arrays.cycle_index -> positions.position) as cycle_index,
        {%- for column in columns %}
        arrays.{{ column }} -> positions.position as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from arrays
    cross join lateral generate_series(
        ((-arrays.first_row % {{ every }} + {{ every }}) % {{ every }})::integer, arrays.row_count - 1, {{ every }}
    ) as positions (position)
    {{ fence() }}
),

numbers as (
    select
        elements.file_id,
        elements.row_index,
        {%- for column in ['cycle_index'] + numbers %}
        {{ to_number('elements.' ~ column) }} as {{ column }},
        {%- endfor %}
        {%- for column in others %}
        elements.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from elements
    {{ fence() }}
)
{%- endmacro %}
