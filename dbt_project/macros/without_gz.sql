{# A file's name, whether it was compressed or not: `x.json` and `x.json.gz` are versions of one. #}
{% macro without_gz(name) -%}
    regexp_replace({{ name }}, '[.]gz$', '')
{%- endmacro %}
