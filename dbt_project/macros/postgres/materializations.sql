{#
    In the place of dbt's own, which stay for what is not there yet or is made anew. dbt asks for a table's columns six
    times, writes new rows twice, and swaps every view for a new one; here what is there is brought up to date in as few
    statements as that takes, for they are what a build of nothing new consists of.
#}
{% materialization incremental, adapter='postgres' -%}
    {%- if not is_incremental() -%}
        {%- do run_query(wait_a_minute()) -%}
        {{ return(materialization_incremental_default()) }}
    {%- endif -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set fresh = make_temp_relation(target) -%}
    {%- if pre_hooks -%}
        {%- do run_query(wait_a_minute()) -%}
        {{ run_hooks(pre_hooks) }}
    {%- endif -%}
    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
        {%- do add_missing_columns(target) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ wait_a_minute() }};
        {{ comments_on(target, model) }}
        {%- if config.get('incremental_strategy') == 'replace' %}
        create temporary table {{ fresh }} as (
            {{ sql }}
        );
        {{ rows_replaced(target, fresh) }}
        {%- else %}
        insert into {{ target }} ({{ model.columns | join(', ') }})
        select fresh.{{ model.columns | join(', fresh.') }}
        from (
            {{ sql }}
        ) as fresh
        {%- endif %}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target]}) }}
{%- endmaterialization %}

{#
    `create or replace` keeps what hangs on a view. Where a newer version of the project has other columns in it, the old one is
    put where `keep_dependents` finds it.
#}
{% materialization view, adapter='postgres' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if not (existing and existing.is_view) -%}
        {%- do run_query(wait_a_minute()) -%}
        {{ return(materialization_view_default()) }}
    {%- endif -%}
    {%- set create -%}
        view {{ this }} as (
            {{ sql }}
        )
    {%- endset -%}
    {%- call statement('main') -%}
        {{ wait_a_minute() }};
        do $replace$
        begin
            create or replace {{ create }};
        exception
            when invalid_table_definition then
                {{ remake_in_turn() | replace('select', 'perform') }};
                alter view {{ this }} rename to {{ adapter.quote(make_backup_relation(this, 'view').identifier) }};
                create {{ create }};
        end
        $replace$
    {%- endcall -%}
    {%- do postgres__apply_grants(existing, none, none) -%}
    {%- do persist_docs(existing, model) -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [existing]}) }}
{%- endmaterialization %}

{# In the place of dbt's own, which it calls as soon as a table or view made anew stands in its place. #}
{% macro postgres__apply_grants(relation, grant_config, should_revoke) -%}
    {%- do keep_dependents() -%}
    {%- do give_to_schema_owner() -%}
{%- endmacro %}

{# What `on_schema_change: append_new_columns` says, of the columns under contract. #}
{% macro add_missing_columns(relation) -%}
    {%- set existing = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- for column in model.columns.values() if column.name not in existing -%}
        {%- do run_query('alter table ' ~ relation ~ ' add column ' ~ adapter.quote(column.name) ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
{%- endmacro %}

{#
    In the place of dbt's own, which looks twice which columns are there. Those of models are declared; seeds are people's.
#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if model.resource_type == 'seed' -%}
        {{ return(default__persist_docs(relation, model, for_relation, for_columns)) }}
    {%- endif -%}
    {%- do run_query(comments_on(relation, model)) -%}
{%- endmacro %}

{% macro comments_on(relation, model) -%}
    comment on {{ relation.type }} {{ relation }} is {{ postgres_escape_comment(model.description) }};
    {%- for column in model.columns.values() %}
    comment on column {{ relation }}.{{ column.name }} is {{ postgres_escape_comment(column.description) }};
    {%- endfor %}
{%- endmacro %}
