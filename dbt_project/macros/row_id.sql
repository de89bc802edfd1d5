{# Published ids name their file and place: file_id * 2^32 + index. #}
{% macro row_id(file_id, index) -%}
    (({{ file_id }} << 32) + {{ index }})
{%- endmacro %}
