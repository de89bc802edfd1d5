{#
    How tables are brought up to date. Published tables are never dropped in a plain build: what others built on them stays,
    and readers are not held up.
#}

{#
    Incremental strategy `replace`: the table holds afterwards what the select gives, no more and no less. Rows are deleted,
    changed and added where they differ, in one transaction; one that stays as it is is not written.
    https://docs.getdbt.com/docs/build/incremental-strategy (custom strategies)
#}
{% macro get_incremental_replace_sql(arg_dict) -%}
    {{ return(rows_replaced(arg_dict['target_relation'], arg_dict['temp_relation'])) }}
{%- endmacro %}

{% macro rows_replaced(table, fresh_rows) -%}
    {%- set columns = model.columns | list -%}
    {%- set unique_key = config.get('unique_key') -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- set same_key = [] -%}
    {%- for key in keys -%}
        {%- do same_key.append('published.' ~ key ~ ' = fresh.' ~ key) -%}
    {%- endfor -%}
    -- two builds at once take turns; readers do not wait
    lock table {{ table }} in share row exclusive mode;

    delete from {{ table }} as published
    where not exists (
        select 1 from {{ fresh_rows }} as fresh
        where {{ same_key | join(' and ') }}
    );

    update {{ table }} as published
    set
        {%- for column in columns %}
        {{ column }} = fresh.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ fresh_rows }} as fresh
    where
        {{ same_key | join(' and ') }}
        and row(published.{{ columns | join(', published.') }})
        is distinct from row(fresh.{{ columns | join(', fresh.') }});

    insert into {{ table }} ({{ columns | join(', ') }})
    select fresh.{{ columns | join(', fresh.') }}
    from {{ fresh_rows }} as fresh
    where not exists (
        select 1 from {{ table }} as published
        where {{ same_key | join(' and ') }}
    )
{%- endmacro %}

{#
    Points are taken from documents, which is dear, so they are not compared one by one: the model `record` says under which
    battery and offset a file's points went in. It is written in their transaction, so that neither is ever without the
    other. All points of a file go where it is none of the `runs` any more, where battery or offset differ, and where points
    and record do not know of each other; its record goes with them, and the model adds them anew.
    The first points are found by walking from one to the next on the primary key (PostgreSQL wiki, "Loose indexscan"): one
    look-up a file, however many points there are.
#}
{% macro delete_misplaced_points(runs, record) -%}
    {%- set published_runs = own_published_runs(record) -%}
    {%- if is_incremental() -%}
    with recursive first_points as (
        (
            select published.id
            from {{ this }} as published
            order by published.id
            limit 1
        )
        union all
        select following.id
        from first_points
        cross join lateral (
            select published.id
            from {{ this }} as published
            where published.id >= {{ row_id('((first_points.id >> 32) + 1)', 0) }}
            order by published.id
            limit 1
        ) as following
    ),

    misplaced as (
        select coalesce(published_runs.file_id, first_points.id >> 32) as file_id
        from {{ published_runs }} as published_runs
        full join first_points on published_runs.file_id = first_points.id >> 32
        left join {{ ref(runs).render() }} as runs
            on
                published_runs.file_id = runs.file_id
                and published_runs.battery_id = runs.battery_id
                and published_runs.cycle_offset = runs.cycle_offset
        where
            runs.run_number is null
            or published_runs.has_points <> (first_points.id is not null)
    ),

    forgotten as (
        delete from {{ published_runs }} as published_runs
        using misplaced
        where published_runs.file_id = misplaced.file_id
    )

    delete from {{ this }} as published
    using misplaced
    where
        published.id >= {{ row_id('misplaced.file_id', 0) }}
        and published.id < {{ row_id('(misplaced.file_id + 1)', 0) }}
    {%- elif published_runs -%}
    delete from {{ published_runs }}
    {%- endif -%}
{%- endmacro %}

{# The CTEs of a model in which `note_published_runs` keeps its record of the runs in a model `runs`: its columns, no row. #}
{% macro record_of_published_runs(runs) -%}
runs as (
    select * from {{ ref(runs) }}
),

final as (
    select
        runs.file_id,
        runs.battery_id,
        runs.cycle_offset,
        true as has_points
    from runs
    where false
)
{%- endmacro %}

{% macro note_published_runs(runs, record) -%}
    {%- set published_runs = own_published_runs(record) -%}
    {%- if published_runs -%}
    insert into {{ published_runs }} (file_id, battery_id, cycle_offset, has_points)
    select
        runs.file_id,
        runs.battery_id,
        runs.cycle_offset,
        exists (
            select 1
            from {{ this }} as published
            where
                published.id >= {{ row_id('runs.file_id', 0) }}
                and published.id < {{ row_id('(runs.file_id + 1)', 0) }}
        ) as has_points
    from {{ ref(runs).render() }} as runs
    where
        runs.run_number is not null
        and not exists (select 1 from {{ published_runs }} as done where done.file_id = runs.file_id)
    {%- endif -%}
{%- endmacro %}

{#
    Always that of this target: with `--defer`, `ref` may lead to production, whose record is not to be written. None where
    nothing is built.
#}
{% macro own_published_runs(record) -%}
    {%- if target.type != 'postgres' -%}
        {{ return(none) }}
    {%- endif -%}
    {%- do ref(record) -%}
    {%- if execute and flags.WHICH != 'clone' -%}
        {%- set node = graph.nodes['model.battery_elt.' ~ record] -%}
        {%- set own = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if not (own and own.is_table) -%}
            {%- do exceptions.raise_compiler_error(this ~ ' keeps its record in ' ~ record ~ ': select that, too.') -%}
        {%- endif -%}
        {{ return(own) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#
    Statistics for the planner, in the transaction that adds the rows and, as autovacuum has it, once a tenth of them is new:
    what a build reads for them is not to grow with the rows that are there.
    https://www.postgresql.org/docs/current/monitoring-stats.html: pg_stat_xact_user_tables counts the transaction so far.
#}
{% macro analyze_new_rows() -%}
    {%- if execute and target.type == 'postgres' and load_result('main').response.rows_affected
        and run_query(many_rows_are_new()).rows -%}
    analyze {{ this }}
    {%- endif -%}
{%- endmacro %}

{% macro many_rows_are_new() -%}
    select 1
    from pg_stat_xact_user_tables as new_rows
    inner join pg_class as tables on new_rows.relid = tables.oid
    where tables.oid = '{{ this }}'::regclass and new_rows.n_tup_ins > 0.1 * greatest(tables.reltuples, 0)
{%- endmacro %}
