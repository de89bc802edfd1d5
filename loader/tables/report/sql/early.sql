select
    battery_id,
    delta_q_log_variance
from battery.battery_early_features
where battery_id = any(%(ids)s) and delta_q_log_variance is not null
