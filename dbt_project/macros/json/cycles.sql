{#
    What all points of a column set say of its cycles. Published is every tenth point, but the start of a cycle and the
    highest cycle are those of all points. Arguments are columns in memory.
#}

{# {cycle: lowest test_time or null} over every row with a cycle; NULL for a set without test_time, or with time. #}
{% macro cycle_starts(cycle, columns) -%}
    case
        when {{ columns }} ? 'test_time' and not {{ columns }} ? 'time'
            then (
                select jsonb_object_agg(starts.cycle_index::integer, starts.test_time)
                from (
                    select
                        numbers.cycle_index,
                        min(numbers.test_time) filter (where {{ fits_double('numbers.test_time') }}) as test_time
                    from (
                        select
                            {{ to_number('pairs.cycle_index') }} as cycle_index,
                            {{ to_number('pairs.test_time') }} as test_time
                        from (
                            select
                                coalesce({{ cycle }}, zipped.cycle_index) as cycle_index,
                                zipped.test_time
                            from (
                                select
                                    jsonb_array_elements({{ column_of(columns, 'cycle_index') }}) as cycle_index,
                                    jsonb_array_elements({{ column_of(columns, 'test_time') }}) as test_time
                            ) as zipped
                        ) as pairs
                        {{ fence() }}
                    ) as numbers
                    where
                        numbers.cycle_index between 0 and 2147483647
                        and numbers.cycle_index = trunc(numbers.cycle_index)
                    group by numbers.cycle_index
                ) as starts
            )
    end
{%- endmacro %}

{#
    Whether a column set may hold a cycle of those compared (`stg_early_curves`), whichever run it is of: false only where every
    number is above 100. A text is no answer to that ("unknown"), nor is a column that is missing.
#}
{% macro may_hold_early_cycles(cycle, columns) -%}
    coalesce(jsonb_path_match(coalesce({{ cycle }}, {{ column_of(columns, 'cycle_index') }}), 'lax $[*] <= 100'), true)
{%- endmacro %}

{# Of the lists of such objects that parts have, one object with the lowest of each cycle. #}
{% macro lowest_starts(lists) -%}
    (
        select jsonb_object_agg(lowest.cycle_index, lowest.test_time)
        from (
            select
                starts.key as cycle_index,
                min(starts.value::numeric)::float8 as test_time
            from jsonb_path_query({{ lists }}, '$[*][*]') as of_set (starts)
            cross join lateral jsonb_each_text(of_set.starts) as starts
            group by starts.key
        ) as lowest
    )
{%- endmacro %}

{# Highest whole cycle number of an array. #}
{% macro highest_cycle(cycle_index) -%}
    (
        select max(doubles.cycle_index)::integer
        from (
            select {{ to_double('numbers.cycle_index') }} as cycle_index
            from (
                select {{ to_number('element.value') }} as cycle_index
                from jsonb_array_elements({{ cycle_index }}) as element
                {{ fence() }}
            ) as numbers
            {{ fence() }}
        ) as doubles
        where {{ is_whole('doubles.cycle_index') }}
    )
{%- endmacro %}
