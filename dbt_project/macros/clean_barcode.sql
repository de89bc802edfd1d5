{#
    Upper case without blanks around it; NULL where it is empty, `nan` or longer than 500 characters: an index takes no more
    than 2,700 bytes, and one such file would hold up all others.
#}
{% macro clean_barcode(barcode) -%}
    nullif(nullif(upper(trim(case when length(trim({{ barcode }})) <= 500 then {{ barcode }} end)), ''), 'NAN')
{%- endmacro %}
