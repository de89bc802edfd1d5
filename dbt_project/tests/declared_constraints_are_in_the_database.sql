{{ config(enabled=target.type == 'postgres') }}

-- Every constraint that a published model declares in YAML is one of its table: constraints are added after the rows
-- (macros/postgres/constraints.sql), and a rebuilt parent takes the foreign keys of its children with it.
{%- if execute %}
{%- set models = graph.nodes.values()
    | selectattr('resource_type', 'equalto', 'model') | selectattr('config.contract.enforced') | list %}
{%- for node in models if node.unique_id not in model.depends_on.nodes %}
    {{ exceptions.raise_compiler_error(node.name ~ " is published and missing in the list of " ~ model.name) }}
{%- endfor %}
{%- else %}
{%- set models = [] %}
{%- endif %}
-- depends on: {{ ref('batteries') }}, {{ ref('battery_summaries') }}, {{ ref('battery_cycles_interpolated') }},
-- {{ ref('battery_files') }}, {{ ref('unmapped_columns') }}, {{ ref('battery_lives') }},
-- {{ ref('battery_early_features') }}, {{ ref('battery_trajectories') }}, {{ ref('battery_cycle_differences') }},
-- {{ ref('battery_points') }}, {{ ref('battery_diagnostic_summaries') }}, {{ ref('battery_diagnostic_points') }},
-- {{ ref('battery_health') }}
with

declared (table_name, key) as (
    values
    {%- for node in models %}
    {%- for constraint in declared_constraints(node) %}
    ('{{ node.relation_name | replace('"', '') }}', '{{ constraint.key }}'),
    {%- endfor %}
    {%- endfor %}
    (null, null)
),

existing as (
    {%- for node in models %}
    select
        '{{ node.relation_name | replace('"', '') }}' as table_name,
        constraints.key
    from ({{ constraints_of(node.relation_name) }}) as constraints
    union all
    {%- endfor %}
    select
        null as table_name,
        null as key
)

select declared.*
from declared
where
    declared.key is not null
    and not exists (
        select 1
        from existing
        where
            existing.table_name = declared.table_name
            and existing.key = declared.key
    )
