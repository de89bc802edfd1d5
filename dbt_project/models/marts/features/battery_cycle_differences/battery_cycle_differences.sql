{{ config(unique_key=['battery_id', 'quantity']) }}

with

batteries as (
    select * from {{ ref('batteries') }}
),

statistics as (
    select *
    from {{ ref('int_curve_statistics') }}
    where comparison <> 'delta_q'
),

final as (
    select
        statistics.battery_id,
        statistics.comparison as quantity,
        statistics.pairs,
        {{ log_size('statistics.variance') }} as log_variance,
        {{ log_size('statistics.minimum') }} as log_minimum,
        {{ log_size('statistics.mean') }} as log_mean,
        {{ log_size('statistics.skewness') }} as log_skewness,
        {{ log_size('statistics.kurtosis_unbiased') }} as log_kurtosis,
        {{ log_size('statistics.sum_of_sizes') }} as log_sum_of_sizes,
        {{ log_size('statistics.sum_of_squares') }} as log_sum_of_squares
    from statistics
    inner join batteries on statistics.battery_id = batteries.id
)

select * from final
