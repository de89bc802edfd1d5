{# For analyses of one battery: the variable `barcode` as a literal, else the battery landed first. #}
{% macro chosen_barcode() -%}
    {%- if var('barcode', none) -%}
        {{ clean_barcode("'" ~ var('barcode') | string | replace("'", "''") ~ "'") }}
    {%- else -%}
        (select earliest.barcode from {{ ref('batteries') }} as earliest order by earliest.id limit 1)
    {%- endif -%}
{%- endmacro %}
