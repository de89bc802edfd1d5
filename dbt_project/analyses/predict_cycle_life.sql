-- The variance model of Severson et al. 2019: log10 of cycle life by log10 of the variance of ΔQ(V), by least squares.
with

features as (
    select * from {{ ref('battery_early_features') }}
),

lives as (
    select * from {{ ref('battery_lives') }}
),

published as (
    select * from {{ ref('published_cycle_lives') }}
),

-- a censored life is no life: the cell lived longer, nobody knows how long
cells as (
    select
        features.barcode,
        published.dataset,
        features.delta_q_log_variance,
        coalesce(published.cycle_life, case when lives.reached_end_of_life then lives.cycle_life end) as cycle_life
    from features
    inner join lives on features.battery_id = lives.battery_id
    left join published on features.barcode = published.barcode
    where features.delta_q_log_variance is not null
),

-- the paper's own cells are fitted on its training set; cells of others on all of theirs
model as (
    select
        regr_slope(log10(cells.cycle_life), cells.delta_q_log_variance) as slope,
        regr_intercept(log10(cells.cycle_life), cells.delta_q_log_variance) as intercept
    from cells
    where cells.cycle_life > 0 and coalesce(cells.dataset, 'Train') = 'Train'
),

predicted as (
    select
        cells.*,
        power(10, model.intercept + model.slope * cells.delta_q_log_variance) as predicted_life
    from cells
    cross join model
),

final as (
    select
        predicted.barcode,
        predicted.dataset,
        predicted.delta_q_log_variance,
        predicted.predicted_life,
        predicted.cycle_life,
        predicted.predicted_life - predicted.cycle_life as error,
        sqrt(avg(power(predicted.predicted_life - predicted.cycle_life, 2)) over same_set) as rmse,
        avg(100 * abs(predicted.predicted_life / predicted.cycle_life - 1)) over same_set as mean_error_percent
    from predicted
    window same_set as (partition by predicted.dataset)
)

select * from final
order by dataset nulls last, barcode
