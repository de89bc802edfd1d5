{{ config(severity='warn') }}

-- BEEP interpolates a step to 1,000 points: another number means that a step was cut short, or a grid of another kind.
with

features as (
    select * from {{ ref('battery_early_features') }}
)

select
    features.barcode,
    features.delta_q_points
from features
where features.delta_q_points % 1000 <> 0
