{# Upper case without blanks around it; NULL where it is empty or `nan`. #}
{% macro clean_barcode(barcode) -%}
    nullif(nullif(upper(trim({{ barcode }})), ''), 'NAN')
{%- endmacro %}
