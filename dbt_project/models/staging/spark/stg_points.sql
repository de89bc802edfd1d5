{%- set columns = sections().cycles_interpolated %}

with

{{ spark_section('cycles_interpolated', every=var('sample_every')) }},

cycles_of_files as (
    select * from {{ ref('stg_cycles') }}
),

started as (
    select
        numbered.*,
        cycles_of_files.first_test_time
    from numbered
    left join cycles_of_files
        on
            numbered.file_id = cycles_of_files.file_id
            and numbered.cycle_index = cycles_of_files.cycle_index
),

{{ spark_timed_points(columns.numbers | reject('eq', 'test_time') | list + columns.others) }}

-- files of the advisory size in a batch, instead of one a task
select /*+ rebalance(batch) */ * from final
