{#
    CTE `loaded`: the documents of a CTE `pending_parts` (file_id, part_no, and columns to carry along), in memory. Each is
    looked up by its key, so that no plan compares parts with parts; and what is asked of it is carried along, so that
    nothing un-nested is joined: the planner takes that to be of one row.
#}
{% macro loaded_documents() -%}
documents as (
    select * from {{ source('raw', 'documents') }}
),

loaded as (
    select
        pending_parts.*,
        part.first_point,
        part.document
    from pending_parts
    cross join lateral (
        select
            documents.first_point,
            {{ in_memory('documents.document') }} as document
        from documents
        where
            documents.file_id = pending_parts.file_id
            and documents.part_no = pending_parts.part_no
        {{ fence() }}
    ) as part
    {{ fence() }}
)
{%- endmacro %}

{# The CTEs from `pending_parts` to a CTE `column_sets` of one section: its name in SQL, quoted or a column of the parts. #}
{% macro section_column_sets(section, carried=[]) -%}
{{ loaded_documents() }},

contents as (
    select
        loaded.*,
        coalesce(
            nullif(loaded.document -> {{ section }}, 'null'),
            {{ flattened_section('loaded.document', section) }}
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
        {%- for column in carried %}
        shaped.{{ column }},
        {%- endfor %}
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
    The CTEs that turn one section of the pending parts into rows: from column sets, the one piece of SQL for every shape.
    Ends with a CTE `numbers`: file_id, the columns `carried`, row_index (in document order, over the whole file),
    cycle_index and the section's `numbers`, and `more`, as exact decimals, its `others` as they are (jsonb), for every `every`th row.
#}
{% macro section_rows(section, every=1, carried=[], more=[]) -%}
{%- set numbers, others = sections()[section].numbers + more, sections()[section].others -%}
{%- set columns = numbers + others -%}
{{ section_column_sets("'" ~ section ~ "'", carried) }},

arrays as (
    select
        column_sets.*,
        {%- for column in ['cycle_index'] + columns %}
        {{ column_of('column_sets.columns', column) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from column_sets
    {{ fence() }}
),

elements as (
    select
        arrays.file_id,
        {%- for column in carried %}
        arrays.{{ column }},
        {%- endfor %}
        arrays.first_row + positions.position as row_index,
        coalesce(arrays.cycle, arrays.cycle_index -> positions.position) as cycle_index,
        {%- for column in columns %}
        arrays.{{ column }} -> positions.position as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from arrays
    cross join lateral generate_series(
        {{ first_taken('arrays.first_row', every) }}, arrays.row_count - 1, {{ every }}
    ) as positions (position)
    {{ fence() }}
),

numbers as (
    select
        elements.file_id,
        {%- for column in carried %}
        elements.{{ column }},
        {%- endfor %}
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

{# The first place in a column set whose row, counted over the whole file, is one of every `every`. #}
{% macro first_taken(first_row, every) -%}
    ((-{{ first_row }} % {{ every }} + {{ every }}) % {{ every }})::integer
{%- endmacro %}
