{{ config(materialized='incremental', incremental_strategy='append') }}

-- Filled by `battery_cycles_interpolated`, in the transaction that adds the points (macros/postgres/upkeep.sql).
with

{{ record_of_published_runs('int_runs') }}

select * from final
