{#
    shapes.sql for Spark: from a section of a document to column sets (docs/design.md, Shapes), and on to rows. An object is a
    map<string, variant>, an array an array<variant>; what is neither is NULL as both.
    Spark puts an expression that is used once in its place, even into a lambda, where it is worked out anew for every row:
    a large value is an argument of a higher-order function, never captured by its lambda.
#}

{% macro spark_object(value) -%}
    try_variant_get({{ value }}, '$', 'map<string, variant>')
{%- endmacro %}

{% macro spark_array(value) -%}
    try_variant_get({{ value }}, '$', 'array<variant>')
{%- endmacro %}

{# NULL for what is no array: `size` of NULL is -1 within a lambda, and NULL elsewhere. #}
{% macro spark_array_size(value) -%}
    nullif(size({{ spark_array(value) }}), -1)
{%- endmacro %}

{# Whether the document, an object, has the section under its own key, and not null. #}
{% macro spark_owns(document, section) -%}
    ({{ document }}['{{ section }}'] is not null and not is_variant_null({{ document }}['{{ section }}']))
{%- endmacro %}

{# The members of a section: of the object itself, or of the top-level keys `section.column`. #}
{% macro spark_members(document, section) -%}
    case
        when {{ spark_owns(document, section) }} then {{ spark_object(document ~ "['" ~ section ~ "']") }}
        else transform_keys(
            map_filter({{ document }}, (key, value) -> startswith(key, '{{ section }}.')),
            (key, value) -> substr(key, {{ section | length + 2 }})
        )
    end
{%- endmacro %}

{# Size of what one cycle holds under a name: a scalar is an array of one, an object does not count. #}
{% macro spark_rows_of_cycle(cycle) -%}
    coalesce(array_max(transform(
        map_values({{ cycle }}),
        value -> case when {{ spark_object('value') }} is null then coalesce({{ spark_array_size('value') }}, 1) end
    )), 0)
{%- endmacro %}

{% macro spark_columns_of_cycle(cycle) -%}
    map_keys(map_filter({{ cycle }}, (name, value) -> {{ spark_object('value') }} is null))
{%- endmacro %}

{# A number in digits as texts that sort as it does: by length, then by digits. #}
{% macro spark_row_number_order(key) -%}
    length(ltrim('0', {{ key }})), ltrim('0', {{ key }}), {{ key }}
{%- endmacro %}

{#
    The CTEs from a CTE `pending_parts` (file_id, part_no, shape, row_count, batch, batch_files) to a CTE `cells`: file_id,
    row_index (over the whole file), the section's `columns` as variants, batch, batch_files; every `every`th row. It takes
    documents apart a second time, for shapes that are rare; parts in columns are typed in `stg_part_sections`.
#}
{% macro spark_section_rows(section, columns, every=1, without_columnar=true) -%}
loaded as (
    select /*+ broadcast(pending_parts) */
        pending_parts.file_id,
        pending_parts.part_no,
        pending_parts.shape,
        pending_parts.row_count,
        pending_parts.batch,
        pending_parts.batch_files,
        documents.first_point,
        {{ spark_object('try_parse_json(documents.document)') }} as document
    from {{ source('raw', 'documents') }} as documents
    inner join pending_parts on documents.file_id = pending_parts.file_id and documents.part_no = pending_parts.part_no
    where
        documents.batch in (select wanted.batch from pending_parts as wanted)
        {%- if without_columnar %}
        and pending_parts.shape <> 'columnar'
        {%- endif %}
),

contents as (
    select
        loaded.* except (document),
        {{ spark_members('loaded.document', section) }} as members,
        {{ spark_array("loaded.document['" ~ section ~ "']") }} as records
    from loaded
),

cycles as (
    select
        contents.* except (members, records, row_count),
        cycle.key as cycle,
        {{ spark_object('cycle.value') }} as members
    from contents
    cross join lateral explode_outer(contents.members) as cycle (key, value)
    where contents.shape = 'by cycle'
),

counted_cycles as (
    select
        cycles.*,
        {{ spark_rows_of_cycle('cycles.members') }} as row_count
    from cycles
),

column_sets as (
    select
        contents.file_id,
        contents.first_point as first_row,
        contents.row_count,
        {%- for column in columns %}
        case contents.shape
            when 'columnar' then {{ spark_array("contents.members['" ~ column ~ "']") }}
            else transform(contents.records, record -> try_variant_get(record, '$.{{ column }}', 'variant'))
        end as {{ column }},
        {%- endfor %}
        contents.batch,
        contents.batch_files
    from contents
    where contents.shape in ('columnar', 'records')

    union all

    select
        counted_cycles.file_id,
        counted_cycles.first_point + coalesce(
            sum(counted_cycles.row_count) over (
                partition by counted_cycles.file_id, counted_cycles.part_no
                order by {{ spark_text_to_double('counted_cycles.cycle') }} nulls last, counted_cycles.cycle
                rows between unbounded preceding and 1 preceding
            ), 0
        ) as first_row,
        counted_cycles.row_count,
        array_repeat(cast(counted_cycles.cycle as variant), counted_cycles.row_count) as cycle_index,
        {%- for column in columns if column != 'cycle_index' %}
        case
            when {{ spark_object("counted_cycles.members['" ~ column ~ "']") }} is null
                then coalesce(
                    {{ spark_array("counted_cycles.members['" ~ column ~ "']") }}, array(counted_cycles.members['{{ column }}'])
                )
        end as {{ column }},
        {%- endfor %}
        counted_cycles.batch,
        counted_cycles.batch_files
    from counted_cycles
),

-- a table is as long as its longest array, of a column that is not asked for, too
arrays as (
    select
        column_sets.file_id,
        column_sets.first_row,
        array_repeat(true, cast(column_sets.row_count as int)) as is_row,
        {%- for column in columns %}
        coalesce(column_sets.{{ column }}, cast(array() as array<variant>)) as {{ column }},
        {%- endfor %}
        column_sets.batch,
        column_sets.batch_files
    from column_sets
),

-- `inline` and `explode` have a filter put on the size of their argument, worked out twice; the outer forms have not
elements as (
    select
        arrays.file_id,
        arrays.first_row + element.position as row_index,
        element.cells.*,
        arrays.batch,
        arrays.batch_files
    from arrays
    cross join lateral inline_outer(
        filter(
            transform(
                arrays_zip(arrays.is_row, arrays.{{ columns | join(', arrays.') }}),
                (cells, position) -> named_struct('position', position, 'cells', cells)
            ),
            element -> (arrays.first_row + element.position) % {{ every }} = 0
        )
    ) as element
    where element.position is not null
),

indexed as (
    select
        contents.* except (members, records, row_count),
        member.name,
        entry.key,
        entry.value
    from contents
    cross join lateral explode_outer(contents.members) as member (name, value)
    cross join lateral explode_outer({{ spark_object('member.value') }}) as entry (key, value)
    where contents.shape = 'indexed columns' and entry.key is not null
),

indexed_rows as (
    select
        indexed.file_id,
        indexed.part_no,
        indexed.first_point,
        indexed.key,
        {%- for column in columns %}
        first(indexed.value) filter (where indexed.name = '{{ column }}') as {{ column }},
        {%- endfor %}
        indexed.batch,
        indexed.batch_files
    from indexed
    group by indexed.file_id, indexed.part_no, indexed.first_point, indexed.key, indexed.batch, indexed.batch_files
),

placed as (
    select
        indexed_rows.*,
        indexed_rows.first_point + row_number() over (
            partition by indexed_rows.file_id, indexed_rows.part_no
            order by {{ spark_row_number_order('indexed_rows.key') }}
        ) - 1 as row_index
    from indexed_rows
),

cells as (
    select
        elements.file_id,
        elements.row_index,
        {%- for column in columns %}
        elements.{{ column }},
        {%- endfor %}
        elements.batch,
        elements.batch_files
    from elements

    union all

    select
        placed.file_id,
        placed.row_index,
        {%- for column in columns %}
        placed.{{ column }},
        {%- endfor %}
        placed.batch,
        placed.batch_files
    from placed
    where placed.row_index % {{ every }} = 0
)
{%- endmacro %}

{#
    The same from the text of the CTEs up to `pending_parts`. Where no part is pending, which is asked first, `cells` is empty and
    nothing is planned: a plan of all shapes takes Spark seconds.
#}
{% macro spark_pending_section_rows(parts, section, columns) -%}
{{ parts }},

{% if spark_finds(parts ~ ' select 1 from pending_parts') -%}
{{ spark_section_rows(section, columns, without_columnar=false) }}
{%- else -%}
cells as (
    select
        0L as file_id,
        0L as row_index,
        {%- for column in columns %}
        cast(null as variant) as {{ column }},
        {%- endfor %}
        0L as batch,
        0L as batch_files
    where false
)
{%- endif %}
{%- endmacro %}

{#
    CTEs `sections`, all of one name, and `pending_parts`, those to take rows from: of every file of the pending batches, or of
    those in a CTE `files`.
#}
{% macro spark_pending_parts(section, files=none) -%}
sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = '{{ section }}' and row_count > 0
),

pending_parts as (
    select
        parts.file_id,
        parts.part_no,
        parts.shape,
        parts.row_count,
        parts.first_row,
        parts.numbers,
        parts.others,
        parts.cycle_starts,
        parts.batch,
        pending_batches.batch_files
    from {{ ref('stg_part_sections') }} as parts
    inner join sections
        on
            parts.file_id = sections.file_id
            and parts.section = sections.section
            and parts.is_under_own_key = sections.is_under_own_key
    inner join pending_batches on parts.batch = pending_batches.batch
    {%- if files %}
    inner join {{ files }} on parts.file_id = {{ files }}.file_id
    {%- endif %}
    where parts.section = '{{ section }}' and parts.row_count > 0
)
{%- endmacro %}

{#
    Whether a pending part has the section in another shape than columns: few sets do, and then nothing is planned for them.
#}
{% macro spark_has_rare_shapes(section) -%}
    {{ return(spark_finds('with ' ~ pending_batches() ~ ', ' ~ spark_pending_parts(section)
        ~ " select 1 from pending_parts where shape <> 'columnar'")) }}
{%- endmacro %}

{# Whether a query has a row, asked before the model runs; true where none will. #}
{% macro spark_finds(query) -%}
    {%- if not (execute and flags.WHICH in ('build', 'run')) -%}{{ return(true) }}{%- endif -%}
    {{ return(run_query(query ~ ' limit 1').rows | length > 0) }}
{%- endmacro %}

{#
    The CTEs from the landing to a CTE `numbered`, and `sections` on the way: file_id, row_index (over the whole file), cycle_index,
    the section's other `numbers` as doubles and `others` as text, batch, batch_files; every `every`th row of pending batches,
    which is how `stg_part_sections` has taken them.
#}
{% macro spark_section(section, every=1) -%}
{%- set numbers, others = ['cycle_index'] + sections()[section].numbers, sections()[section].others -%}
{%- set has_rare_shapes = spark_has_rare_shapes(section) -%}
{{ pending_batches() }},

{{ spark_pending_parts(section) }},

{% if has_rare_shapes %}
{{ spark_section_rows(section, numbers + others, every) }},
{% endif %}
typed as (
    select
        pending_parts.file_id,
        {%- for column in ['row_index'] + numbers + others %}
        element.{{ column }},
        {%- endfor %}
        pending_parts.batch,
        pending_parts.batch_files
    from pending_parts
    cross join lateral inline_outer(
        arrays_zip(
            {{ spark_places('pending_parts.first_row', 'pending_parts.row_count', every ~ 'L') }},
            {%- for column in numbers %}
            coalesce(pending_parts.numbers['{{ column }}'], cast(array() as array<double>)),
            {%- endfor %}
            {%- for column in others %}
            coalesce(pending_parts.others['{{ column }}'], cast(array() as array<string>)){{ ',' if not loop.last }}
            {%- endfor %}
        )
    ) as element ({{ (['row_index'] + numbers + others) | join(', ') }})
    where pending_parts.shape = 'columnar'
    {%- if has_rare_shapes %}

    union all

    {{ spark_typed_cells(numbers, others) }}
    {%- endif %}
),

{{ spark_numbered() }}
{%- endmacro %}

{# CTE `numbered` of a CTE `typed`: a cycle is a whole number. #}
{% macro spark_numbered() -%}
numbered as (
    select
        typed.* except (cycle_index),
        {{ spark_to_whole_number('typed.cycle_index') }} as cycle_index
    from typed
)
{%- endmacro %}

{# A select from a CTE `cells`: of its variants `numbers` as doubles and `others` as text. #}
{% macro spark_typed_cells(numbers, others) -%}
    select
        cells.file_id,
        cells.row_index,
        {%- for column in numbers %}
        {{ spark_to_double('cells.' ~ column) }} as {{ column }},
        {%- endfor %}
        {%- for column in others %}
        {{ spark_to_text('cells.' ~ column) }} as {{ column }},
        {%- endfor %}
        cells.batch,
        cells.batch_files
    from cells
{%- endmacro %}

{# The numbers from `first` on, `count` of them, of which those are left whose sum with `shift` is divisible by `every`. #}
{% macro spark_places(first, count, every, shift=0) -%}
{%- set skipped = 'pmod(-(' ~ first ~ ' + ' ~ shift ~ '), ' ~ every ~ ')' -%}
    case
        when {{ skipped }} < {{ count }} then sequence({{ first }} + {{ skipped }}, {{ first }} + {{ count }} - 1, {{ every }})
        else cast(array() as array<bigint>)
    end
{%- endmacro %}

{#
    The points that may be the first of their cycle: one tells nothing that has the cycle of the one before it, and no
    earlier time. `members` as in `stg_part_sections`.
#}
{% macro spark_cycle_starts(members) -%}
    filter(
        get(transform(
            array(arrays_zip(
                {%- for name in ['cycle_index', 'test_time'] %}
                coalesce(
                    get(filter({{ members }}, member -> member.name = '{{ name }}'), 0).every_number, cast(array() as array<double>)
                ){{ ',' if not loop.last }}
                {%- endfor %}
            )),
            times -> zip_with(
                times,
                concat(array(null), times),
                (now, before) -> case
                    when
                        now is not null
                        and not coalesce(now['0'] <=> before['0'] and (now['1'] is null or now['1'] >= before['1']), false)
                        then struct(now['0'] as cycle_index, now['1'] as test_time)
                end
            )
        ), 0),
        start -> start is not null
    )
{%- endmacro %}

{# All cells of an array as doubles: in one go where they are plain numbers, which takes a quarter of the time. #}
{% macro spark_doubles(value, cells) -%}
    case
        when schema_of_variant({{ value }}) rlike r'^ARRAY<(BIGINT|DECIMAL)' then try_variant_get({{ value }}, '$', 'array<double>')
        else transform({{ cells }}, cell -> {{ spark_to_double('cell') }})
    end
{%- endmacro %}
