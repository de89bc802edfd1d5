{#
    For a test that looks for values out of bounds, of which there are hardly any. A BRIN index knows the least and the
    greatest value of every 128 pages and answers from a few dozen pages, but the planner takes it to give all rows where
    values come in no order. Holds for the transaction of the test.
#}
{% macro prefer_indexes() -%}
    {%- if execute and target.type == 'postgres' -%}
        {%- do run_query('set local enable_seqscan = off') -%}
    {%- endif -%}
{%- endmacro %}
