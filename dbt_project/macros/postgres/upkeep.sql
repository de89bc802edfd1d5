{#
    What an incremental mart deletes before it adds rows (pre-hooks, in the transaction of the model). None of them keeps
    books: they compare what is published with what should be, so that a build put right by the next one stays right.
#}

{# A battery whose files are all excluded or gone; its rows in the other tables go with it (on delete cascade). #}
{% macro delete_vanished_batteries() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} as published
    where not exists (select 1 from {{ ref('int_runs').render() }} as runs where runs.battery_id = published.id)
    {%- endif -%}
{%- endmacro %}

{#
    All points of a file that is no run any more, or of a run whose battery or cycle numbers changed. Points of a file are
    published in one transaction, so that its first row tells of all; walking from first row to first row on the primary
    key (PostgreSQL wiki, "Loose indexscan") costs one look-up a file, however many points there are.
#}
{% macro delete_misplaced_points() -%}
    {%- if is_incremental() -%}
    with recursive first_points as (
        (
            select published.id, published.battery_id, published.cycle_index
            from {{ this }} as published
            order by published.id
            limit 1
        )
        union all
        select following.id, following.battery_id, following.cycle_index
        from first_points
        cross join lateral (
            select published.id, published.battery_id, published.cycle_index
            from {{ this }} as published
            where published.id >= {{ row_id('((first_points.id >> 32) + 1)', 0) }}
            order by published.id
            limit 1
        ) as following
    ),

    misplaced as (
        select first_points.id >> 32 as file_id
        from first_points
        left join {{ ref('int_runs').render() }} as runs on first_points.id >> 32 = runs.file_id
        left join lateral (
            select points.cycle_index
            from {{ ref('stg_points').render() }} as points
            where
                points.file_id = first_points.id >> 32
                and points.point_index = first_points.id - {{ row_id('(first_points.id >> 32)', 0) }}
            offset 0 -- joined as a whole, all points would be read
        ) as points on true
        where
            runs.run_number is null
            or runs.battery_id <> first_points.battery_id
            or points.cycle_index + runs.cycle_offset is distinct from first_points.cycle_index
    )

    delete from {{ this }} as published
    using misplaced
    where
        published.id >= {{ row_id('misplaced.file_id', 0) }}
        and published.id < {{ row_id('(misplaced.file_id + 1)', 0) }}
    {%- endif -%}
{%- endmacro %}

{#
    Statistics for the planner, in the transaction that adds the rows and, as autovacuum has it, once a tenth of them is new:
    what a build reads for them is not to grow with the rows that are there.
    https://www.postgresql.org/docs/current/monitoring-stats.html: pg_stat_xact_user_tables counts the transaction so far.
#}
{% macro analyze_new_rows() -%}
    {%- if execute and run_query(many_rows_are_new()).rows -%}
    analyze {{ this }}
    {%- endif -%}
{%- endmacro %}

{% macro many_rows_are_new() -%}
    select 1
    from pg_stat_xact_user_tables as new_rows
    inner join pg_class as tables on new_rows.relid = tables.oid
    where tables.oid = '{{ this }}'::regclass and new_rows.n_tup_ins > 0.1 * greatest(tables.reltuples, 0)
{%- endmacro %}
