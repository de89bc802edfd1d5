{%- set columns = sections().diagnostic_interpolated %}

with

{{ spark_section('diagnostic_interpolated') }},

{{ spark_started() }},

{{ spark_timed_points(columns.numbers + columns.others) }}

select /*+ rebalance(batch) */ * from final
