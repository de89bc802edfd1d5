{#
    Values that become NULL inside a column the tables take (docs/design.md, Scalars): what is neither missing (null, blank,
    NaN) nor what its column holds, and the end of an array that is shorter than its table. Arguments are columns in memory.
#}

{# {column: how many} of a column set, NULL where none is lost. #}
{% macro lost_values(section, cycle, columns, first_row, row_count) -%}
    (
        select jsonb_object_agg(lost.column_name, lost.value_count)
        from (
            select
                candidates.column_name,
                {{ row_count }} - candidates.array_length + (
                    select count(*)
                    from (
                        select {{ scalar_of_kind('candidate.value', 'candidates.kind') }} as is_kept
                        from jsonb_array_elements(candidates.found) as candidate (value)
                        where (candidate.value #>> '{}') !~* '^\s*(nan)?\s*$'
                    ) as judged
                    where not judged.is_kept
                ) as value_count
            from (
                select
                    held.column_name,
                    held.kind,
                    case jsonb_typeof(held.content) when 'array' then jsonb_array_length(held.content) else 0 end as array_length,
                    case
                        when {{ section }} = 'cycles_interpolated' and {{ row_count }} > 10000
                            then {{ published_candidates('held.content', 'held.kind', first_row) }}
                        else jsonb_path_query_array(held.content, {{ path_of_candidates('held.kind', row_count) }}, silent => true)
                    end as found
                from (
                    select
                        known.column_name,
                        known.kind,
                        {{ columns }} -> known.column_name as content
                    from {{ known_columns() }} as known (section, column_name, kind)
                    where
                        known.section = {{ section }}
                        and {{ columns }} ? known.column_name
                        -- where the key of the set is the cycle, a column of that name is not read
                        and not ({{ cycle }} is not null and known.column_name = 'cycle_index')
                    {{ fence() }}
                ) as held
                where jsonb_typeof(held.content) <> 'null'
                {{ fence() }}
            ) as candidates
        ) as lost
        where lost.value_count > 0
    )
{%- endmacro %}

{# Of the lists of such objects that parts have, one object with the sum for each column. #}
{% macro sum_of_lost_values(lists) -%}
    (
        select jsonb_object_agg(summed.column_name, summed.value_count)
        from (
            select
                lost.key as column_name,
                sum(lost.value::bigint) as value_count
            from jsonb_path_query({{ lists }}, '$[*][*]') as of_set (lost_values)
            cross join lateral jsonb_each_text(of_set.lost_values) as lost
            group by lost.key
        ) as summed
    )
{%- endmacro %}

{# From clause: section, column and what it holds. #}
{% macro known_columns() -%}
    (
        values
        {%- for section, columns in sections().items() %}
        ('{{ section }}', 'cycle_index', 'cycle'),
        {%- for column in columns.numbers %}
        ('{{ section }}', '{{ column }}', 'number'),
        {%- endfor %}
        {%- for column in columns.others %}
        ('{{ section }}', '{{ column }}', '{{ 'time stamp' if column == 'date_time_iso' else 'text' }}'){{ ',' if not loop.last }}
        {%- endfor %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# The same of the points that are published: of a long array to look at these alone takes a tenth of the time. #}
{% macro published_candidates(content, kind, first_row) -%}
    (
        select jsonb_agg({{ content }} -> published.position)
        from generate_series(
            {{ first_taken(first_row, var('sample_every')) }}, jsonb_array_length({{ content }}) - 1, {{ var('sample_every') }}
        ) as published (position)
        where
            {{ kind }} <> 'text'
            and jsonb_typeof({{ content }}) = 'array'
            and jsonb_typeof({{ content }} -> published.position) not in ('number', 'null')
    )
{%- endmacro %}

{#
    The few values of an array that are worth a closer look, found without copying the others: what is no number is so to a
    comparison, too ("is unknown"). In a long array texts and the size of numbers are not looked at: to ask that of each takes
    longer than to publish them, and a number beyond a double is hardly ever there.
#}
{% macro path_of_candidates(kind, row_count) -%}
    case
        when {{ kind }} = 'time stamp' then 'strict $[*] ? (@ != null)'
        when {{ row_count }} > 10000 then case when {{ kind }} <> 'text' then 'strict $[*] ? ((@ < 0) is unknown)' end
        when {{ kind }} = 'text' then 'strict $[*] ? ((@ >= "") is unknown)'
        when {{ kind }} = 'cycle' then 'strict $[*] ? ((@ < 0) is unknown || @ < 0 || @ > 2147483647 || @ % 1 != 0)'
        else 'strict $[*] ? ((@ < 0) is unknown || @ > 1e300 || @ < -1e300 || @ > -1e-300 && @ < 1e-300 && @ != 0)'
    end::jsonpath
{%- endmacro %}

{# Condition: the value gives one of the kind. #}
{% macro scalar_of_kind(value, kind) -%}
    case {{ kind }}
        when 'time stamp' then jsonb_typeof({{ value }}) = 'string' and {{ to_timestamp("(" ~ value ~ " #>> '{}')") }} is not null
        when 'text' then {{ to_text(value) }} is not null
        when 'number' then {{ to_double('(' ~ to_number(value) ~ ')') }} is not null
        else {{ to_whole_number('(' ~ to_double('(' ~ to_number(value) ~ ')') ~ ')') }} is not null
    end
{%- endmacro %}
