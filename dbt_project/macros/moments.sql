{#
    What `int_curve_statistics` computes of arrays, in document order on both engines: sums in another order differ in their
    last digits.
#}

{# An array of the differences of two arrays of one length, pair by pair. #}
{% macro differences_of_pairs(later, earlier) -%}
    {%- if target.type == 'spark' -%}
    zip_with(
        {{ later }}, {{ earlier }},
        (later, earlier) -> {{ bounded_difference('(' ~ bounded('later') ~ ')', '(' ~ bounded('earlier') ~ ')') }}
    )
    {%- else -%}
    array(
        select {{ bounded_difference('bounded.later', 'bounded.earlier') }}
        from (
            select
                pairs.position,
                {{ bounded('pairs.later') }} as later,
                {{ bounded('pairs.earlier') }} as earlier
            from unnest({{ later }}, {{ earlier }}) with ordinality as pairs (later, earlier, position)
        ) as bounded
        order by bounded.position
    )
    {%- endif -%}
{%- endmacro %}

{% macro no_doubles() -%}
    {%- if target.type == 'spark' -%}cast(array() as array<double>){%- else -%}'{}'::double precision[]{%- endif -%}
{%- endmacro %}

{#
    CTEs from a CTE `relation` (battery_id, comparison, an array `differences`) to a CTE `moments`: pairs, known_pairs,
    first, minimum, mean, sum_of_sizes, sum_of_squares, second_moment, third_moment, fourth_moment.
#}
{% macro moments_of(relation, differences) -%}
{%- if target.type == 'spark' -%}
known as (
    select
        {{ relation }}.*,
        filter({{ relation }}.{{ differences }}, difference -> difference is not null) as known
    from {{ relation }}
),

means as (
    select
        known.*,
        case when size(known.known) > 0 then {{ spark_sum_of('known.known', 'difference') }} / size(known.known) end as mean
    from known
),

moments as (
    select
        means.battery_id,
        means.comparison,
        size(means.{{ differences }}) as pairs,
        cast(size(means.known) as bigint) as known_pairs,
        get(means.{{ differences }}, 0) as first,
        array_min(means.known) as minimum,
        means.mean,
        {{ spark_sum_of('means.known', 'abs(difference)') }} as sum_of_sizes,
        {{ spark_sum_of('means.known', 'power(difference, 2)') }} as sum_of_squares,
        {%- for moment in ['second', 'third', 'fourth'] %}
        {{ spark_sum_of('means.known', 'power(difference - means.mean, ' ~ (loop.index + 1) ~ ')') }} / size(means.known)
            as {{ moment }}_moment{{ ',' if not loop.last }}
        {%- endfor %}
    from means
)
{%- else -%}
moments as (
    select
        {{ relation }}.battery_id,
        {{ relation }}.comparison,
        cardinality({{ relation }}.{{ differences }}) as pairs,
        means.known_pairs,
        means.first,
        means.minimum,
        means.mean,
        sums.sum_of_sizes,
        sums.sum_of_squares,
        sums.second_moment,
        sums.third_moment,
        sums.fourth_moment
    from {{ relation }}
    cross join
        lateral (
            select
                count(pair.difference) as known_pairs,
                min(pair.difference) filter (where pair.position = 1) as first,
                min(pair.difference) as minimum,
                avg(pair.difference) as mean
            from unnest({{ relation }}.{{ differences }}) with ordinality as pair (difference, position)
        ) as means
    -- sums, for `avg` squares what it is given
    cross join lateral (
        select
            sum(abs(pair.difference)) as sum_of_sizes,
            sum(pair.difference ^ 2) as sum_of_squares,
            sum((pair.difference - means.mean) ^ 2) / means.known_pairs as second_moment,
            sum((pair.difference - means.mean) ^ 3) / means.known_pairs as third_moment,
            sum((pair.difference - means.mean) ^ 4) / means.known_pairs as fourth_moment
        from unnest({{ relation }}.{{ differences }}) as pair (difference)
    ) as sums
)
{%- endif -%}
{%- endmacro %}

{# Sum of an expression of each `difference` of an array of known ones; NULL of none. #}
{% macro spark_sum_of(array, term) -%}
    case when size({{ array }}) > 0 then aggregate({{ array }}, 0d, (total, difference) -> total + {{ term }}) end
{%- endmacro %}
