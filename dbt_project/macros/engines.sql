{#
    What PostgreSQL and Spark spell differently and shared models need. What takes JSON apart is not here: it lives twice, in
    models/staging/postgres and models/staging/spark, for a fence that helps one planner means nothing to the other.
#}

{# `double precision`, which Spark takes for a double called `precision`. #}
{% macro double() -%}
    {{ 'double' if target.type == 'spark' else 'double precision' }}
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

{# Sum of the doubles of a group, added in the order of a key: in another order the last digits differ. #}
{% macro sum_in_order(number, key) -%}
    {%- if target.type == 'spark' -%}
    case when count({{ number }}) > 0 then aggregate(
        array_sort(collect_list(struct({{ key }} as key, {{ number }} as number)) filter (where {{ number }} is not null)),
        0d, (total, row) -> total + row.number
    ) end
    {%- else -%}
    sum({{ number }} order by {{ key }})
    {%- endif -%}
{%- endmacro %}
