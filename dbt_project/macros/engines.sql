{#
    What PostgreSQL and Spark spell differently and shared models need. What takes JSON apart is not here: it lives twice, in
    models/staging/postgres and models/staging/spark, for a fence that helps one planner means nothing to the other.
#}

{# `double precision`, which Spark takes for a double called `precision`. #}
{% macro double() -%}
    {{ 'double' if target.type == 'spark' else 'double precision' }}
{%- endmacro %}

{# A double rounded to so many decimals: PostgreSQL rounds a `numeric` only, of which Spark makes an integer. #}
{% macro rounded(number, decimals) -%}
    round({{ number if target.type == 'spark' else '(' ~ number ~ ')::numeric' }}, {{ decimals }})
{%- endmacro %}

{# From clause: a row for each element of an array. #}
{% macro unnested(array) -%}
    {%- if target.type == 'spark' -%}explode({{ array }}){%- else -%}unnest({{ array }}){%- endif -%}
{%- endmacro %}

{# Condition: an array has the value. #}
{% macro has_element(array, value) -%}
    {%- if target.type == 'spark' -%}array_contains({{ array }}, {{ value }}){%- else -%}{{ value }} = any({{ array }}){%- endif -%}
{%- endmacro %}

{# The first 20 texts of an array in one. #}
{% macro first_twenty(array) -%}
    {%- if target.type == 'spark' -%}array_join(slice({{ array }}, 1, 20), ', '){%- else -%}array_to_string({{ array }}[:20], ', '){%- endif -%}
{%- endmacro %}

{# Bytes as lower-case hexadecimal. #}
{% macro hexadecimal(sha256) -%}
    {%- if target.type == 'spark' -%}lower(hex({{ sha256 }})){%- else -%}encode({{ sha256 }}, 'hex'){%- endif -%}
{%- endmacro %}

{#
    Of the doubles of a group: sum, mean, median, and least squares of y by x, with PostgreSQL's own arithmetic. They are
    added in the order of a key, for in another the last digits differ.
#}
{% macro sum_in_order(number, key) -%}
    {%- if target.type == 'spark' -%}
    case when count({{ number }}) > 0 then aggregate({{ spark_in_order(number, key) }}, 0d, (total, row) -> total + row.number) end
    {%- else -%}
    sum({{ number }} order by {{ key }})
    {%- endif -%}
{%- endmacro %}

{# All numbers of a group, unknown ones among them, as an array in the order of a key. #}
{% macro array_in_order(number, key) -%}
    {%- if target.type == 'spark' -%}
    transform(array_sort(collect_list(struct({{ key }}, {{ number }} as number))), point -> point.number)
    {%- else -%}
    array_agg({{ number }} order by {{ key }})
    {%- endif -%}
{%- endmacro %}

{% macro mean_in_order(number, key) -%}
    {%- if target.type == 'spark' -%}
    {{ sum_in_order(number, key) }} / count({{ number }})
    {%- else -%}
    avg({{ number }} order by {{ key }})
    {%- endif -%}
{%- endmacro %}

{% macro median(number) -%}
    {%- if target.type == 'spark' -%}
    get(transform(
        array(array_sort(collect_list({{ number }}))),
        sorted -> get(sorted, shiftright(size(sorted) - 1, 1))
            + 0.5d * (get(sorted, shiftright(size(sorted), 1)) - get(sorted, shiftright(size(sorted) - 1, 1)))
    ), 0)
    {%- else -%}
    percentile_cont(0.5) within group (order by {{ number }})
    {%- endif -%}
{%- endmacro %}

{# The slope, or where x is 0; `x` orders. #}
{% macro regression(what, y, x) -%}
    {%- if target.type == 'spark' -%}
    aggregate(
        {{ spark_in_order(y, x) }},
        named_struct('n', 0d, 'sx', 0d, 'sy', 0d, 'sxx', 0d, 'sxy', 0d),
        (so_far, row) -> named_struct(
            'n', so_far.n + 1,
            'sx', so_far.sx + row.key,
            'sy', so_far.sy + row.number,
            'sxx', case when so_far.n > 0 then so_far.sxx
                + (row.key * (so_far.n + 1) - (so_far.sx + row.key)) * (row.key * (so_far.n + 1) - (so_far.sx + row.key))
                * (1 / ((so_far.n + 1) * so_far.n)) else 0d end,
            'sxy', case when so_far.n > 0 then so_far.sxy
                + (row.key * (so_far.n + 1) - (so_far.sx + row.key)) * (row.number * (so_far.n + 1) - (so_far.sy + row.number))
                * (1 / ((so_far.n + 1) * so_far.n)) else 0d end
        ),
        sums -> {{ 'sums.sxy / sums.sxx' if what == 'slope' else '(sums.sy - sums.sx * sums.sxy / sums.sxx) / sums.n' }}
    )
    {%- else -%}
    regr_{{ what }}({{ y }}, {{ x }})
    {%- endif -%}
{%- endmacro %}

{# The known numbers of a group as an array of (key, number), in the order of the key. #}
{% macro spark_in_order(number, key) -%}
    array_sort(collect_list(struct(cast({{ key }} as double) as key, {{ number }} as number)) filter (where {{ number }} is not null))
{%- endmacro %}
