{#
    In the place of dbt's own: a published table whose rows are all worked out at every build is remade only where its
    columns are not the declared ones; else a full refresh, too, replaces its rows.
#}
{% macro should_full_refresh() -%}
    {%- set wanted = flags.FULL_REFRESH if config.get('full_refresh') is none else config.get('full_refresh') -%}
    {%- if not wanted or not execute or config.get('incremental_strategy') != 'replace' or not config.get('contract').enforced -%}
        {{ return(wanted) }}
    {%- endif -%}
    {%- set types = {} -%}
    {%- for column in adapter.get_columns_in_relation(this) -%}
        {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {%- for column in model.columns.values() if types.get(column.name) != column.data_type -%}
        {{ return(true) }}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{#
    Seeds, too, change their rows beside readers, and are remade only where their columns are others; dbt would truncate
    them, or drop them with the views on them.
#}
{% macro postgres__reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
    {%- set columns = adapter.get_columns_in_relation(old_relation) | map(attribute='name') | list -%}
    {%- if columns != agate_table.column_names | list -%}
        {{ return(default__reset_csv_table(model, full_refresh, old_relation, agate_table)) }}
    {%- endif -%}
    {%- call statement() -%}
        delete from {{ old_relation }}
    {%- endcall -%}
    {{ return('delete from ' ~ old_relation) }}
{%- endmacro %}
