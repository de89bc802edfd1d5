{# No double of the table is NaN or infinite: a statistic that does not exist is NULL. #}
{% test finite(model) %}
with

published as (
    select * from {{ model }}
),

final as (
    select published.*
    from published
    where
        false
        {%- for column in adapter.get_columns_in_relation(model) if column.data_type == double() %}
        or not published.{{ column.quoted }} between '-1.7976931348623157e308' and '1.7976931348623157e308'
        {%- endfor %}
)

select * from final
{% endtest %}
