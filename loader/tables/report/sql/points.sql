select count(*) as points from battery.battery_cycles_interpolated where battery_id = any(%(ids)s)
