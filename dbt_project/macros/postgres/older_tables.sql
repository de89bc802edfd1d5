{#
    Before a build: tables of staging that an older version of the project made. dbt fills them where their columns stay the
    same; where they do not, each model would fail for a reason of its own, so all of it is refused at once.
#}
{% macro refuse_older_tables() -%}
    {%- if execute and flags.WHICH in ('build', 'run') and not flags.FULL_REFRESH -%}
        {%- set older = [] -%}
        {%- set found = {} -%}
        {%- for row in run_query(columns_of_staging()).rows -%}
            {%- do found.update({row[0]: row[1].split(',') | sort}) -%}
        {%- endfor -%}
        {%- for node in kept_models() if node.alias in found and found[node.alias] != node.columns | sort -%}
            {%- do older.append(node.alias) -%}
        {%- endfor -%}
        {%- if older -%}
            {%- do exceptions.raise_compiler_error(
                'An older version of battery-elt made ' ~ older | sort | join(', ') ~ ': run `loader build --full-refresh` once.'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# The models of staging that keep their rows from build to build. #}
{% macro kept_models() -%}
    {{ return(
        graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'incremental')
        | selectattr('schema', 'equalto', target.schema ~ '_staging')
        | list
    ) }}
{%- endmacro %}

{% macro columns_of_staging() -%}
    select
        tables.relname::text,
        string_agg(columns.attname, ',')
    from pg_class as tables
    inner join pg_attribute as columns on tables.oid = columns.attrelid
    where
        tables.relnamespace = to_regnamespace('{{ adapter.quote(target.schema ~ "_staging") }}')
        and tables.relkind = 'r'
        and columns.attnum > 0
        and not columns.attisdropped
    group by tables.relname
{%- endmacro %}
