with

decided as (
    select * from {{ source('raw', 'cell_types') }}
),

listed as (
    select * from {{ ref('cell_types') }}
),

together as (
    select
        trim(decided.pattern) as pattern,
        decided.cell,
        decided.nominal_capacity,
        decided.voltage_minimum,
        decided.voltage_maximum,
        1 as preference
    from decided

    union all

    select
        trim(listed.pattern) as pattern,
        listed.cell,
        listed.nominal_capacity,
        listed.voltage_minimum,
        listed.voltage_maximum,
        2 as preference
    from listed
),

ranked as (
    select
        together.*,
        row_number() over (
            partition by together.pattern order by together.preference asc, together.nominal_capacity asc
        ) as place
    from together
    where together.pattern <> '' and together.nominal_capacity > 0 and together.nominal_capacity < 'infinity'
),

final as (
    select
        ranked.pattern,
        ranked.cell,
        ranked.nominal_capacity,
        ranked.voltage_minimum,
        ranked.voltage_maximum
    from ranked
    where ranked.place = 1
)

select * from final
