{{ config(severity='warn') }}

-- Batteries have a hundred cycles, and not one of them ΔQ: cycle_index 9 and 99 are missing from the points of the whole set.
with

features as (
    select * from {{ ref('battery_early_features') }}
),

final as (
    select
        count(*) as batteries_of_100_cycles,
        count(features.delta_q_log_variance) as batteries_with_delta_q
    from features
    where features.summary_cycles >= 100
)

select
    final.batteries_of_100_cycles,
    final.batteries_with_delta_q
from final
where final.batteries_of_100_cycles > 0 and final.batteries_with_delta_q = 0
