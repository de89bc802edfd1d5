{#
    What a build or test came to, kept in the database it was of, so that whoever asks later is told of no other's: one row
    a run of dbt in `builds`, beside the staging tables. Read by `loader status`.
#}
{% macro record_build(results) -%}
    {%- set schema = target.schema ~ '_staging' -%}
    {%- if execute and flags.WHICH in ('build', 'test') and run_query("select to_regnamespace('" ~ schema ~ "')").rows[0][0] -%}
    {%- set names = {'pass': [], 'warn': [], 'fail': [], 'error': [], 'skipped': []} -%}
    {%- for result in results if result.status | string in names -%}
        {%- do names[result.status | string].append(result.node.name) -%}
    {%- endfor -%}
    create table if not exists {{ adapter.quote(schema) }}.builds (
        ended_at timestamptz not null default now(),
        steps integer not null,
        checks_passed integer not null,
        failed text [] not null,
        skipped integer not null,
        warned text [] not null
    );
    insert into {{ adapter.quote(schema) }}.builds (steps, checks_passed, failed, skipped, warned)
    values (
        {{ results | length }},
        {{ names['pass'] | length }},
        {{ text_array(names['error'] + names['fail']) }},
        {{ names['skipped'] | length }},
        {{ text_array(names['warn']) }}
    );
    {%- endif -%}
{%- endmacro %}

{% macro text_array(values) -%}
    array[{%- for value in values -%}'{{ value }}'{{ ', ' if not loop.last }}{%- endfor -%}]::text []
{%- endmacro %}
