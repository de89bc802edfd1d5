{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        indexes=[{'columns': ['file_id', 'point_index'], 'unique': true}],
        post_hook="{{ analyze_new_rows() }}",
    )
}}

{{ sampled_points(remainder=0) }}
