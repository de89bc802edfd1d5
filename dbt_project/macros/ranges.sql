{#  The ranges beside the columns of a model, by column.  #}
{% macro ranges_of(relation) %}
    {%- set ranges = {} -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.alias == relation.identifier -%}
            {%- for name, column in node.columns.items() if 'range' in column.meta -%}
                {%- do ranges.update({name: column.meta['range']}) -%}
                {%- if column.meta['range'] | length != 2 -%}
                    {{ exceptions.raise_compiler_error("within: " ~ name ~ " needs a lowest and a highest value") }}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if not ranges -%}
            {{ exceptions.raise_compiler_error("within: no column of " ~ relation.identifier ~ " has a range in its meta") }}
        {%- endif -%}
    {%- endif -%}
    {{ return(ranges) }}
{% endmacro %}
