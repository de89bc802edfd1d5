{#
    Before a build of some models: what one of them reads is built before it, or was; else dbt would end in the database's own
    words. With `--defer` it is read from elsewhere.
#}
{% macro refuse_missing_parents() -%}
    {%- if execute and flags.WHICH in ('build', 'run') and not invocation_args_dict.get('defer') -%}
        {%- for name in selected_resources if name.startswith('model.') -%}
            {%- for parent in graph.nodes[name].depends_on.nodes if parent not in selected_resources -%}
                {%- set node = graph.nodes.get(parent) -%}
                {%- if node and not adapter.get_relation(node.database, node.schema, node.alias) -%}
                    {%- do exceptions.raise_compiler_error(
                        graph.nodes[name].name ~ ' reads ' ~ node.name ~ ', which is neither built here nor was before:'
                        ~ ' put a + before the names of what you select, or leave nothing out that others read.'
                    ) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
