-- Statements that are ordinary reads of the dataset `shop`, one a line. Each is also run, on the tables of world.py.
SELECT 1
select 1;
SELECT 1 ; ;
/* a comment; DROP TABLE orders */ SELECT 1
SELECT 1 -- ; DELETE FROM orders
SELECT ';' AS semicolon, 'DROP TABLE orders; --' AS text
SELECT 'insert into', 'copy x to y', 'attach', 'pragma' 
SELECT "order_id" FROM "orders"
SELECT order_id AS "select", total AS "drop", status AS "from" FROM orders
SELECT 'it''s', E'a\nb', $$dollar 'quoted'; text$$, $tag$ $$ $tag$
SELECT * FROM orders
select * from ORDERS
SELECT * FROM main.orders
SELECT orders.* FROM orders
SELECT o.* FROM orders o
SELECT o.* FROM orders AS o
SELECT o.order_id FROM main.orders AS o
TABLE orders
FROM orders
FROM orders SELECT order_id, total
FROM orders SELECT order_id WHERE total > 1 ORDER BY total
FROM orders WHERE total > 1 LIMIT 3
FROM orders o JOIN customers c ON o.customer_id = c.customer_id SELECT c.name, o.total
VALUES (1, 'a'), (2, 'b')
FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)
SELECT n FROM (VALUES (1), (2)) v(n)
SELECT DISTINCT status FROM orders
SELECT DISTINCT ON (status) status, total FROM orders ORDER BY total
SELECT ALL status FROM orders
SELECT status FROM orders ORDER BY status DESC NULLS LAST
SELECT status FROM orders ORDER BY 1
SELECT * FROM orders ORDER BY ALL
SELECT status, count(*) FROM orders GROUP BY ALL ORDER BY ALL DESC
SELECT status FROM orders LIMIT 5 OFFSET 2
SELECT status FROM orders OFFSET 2
SELECT status FROM orders LIMIT 10%
SELECT status FROM orders LIMIT 10 PERCENT
SELECT status FROM orders LIMIT (SELECT 3)
SELECT status FROM orders FETCH FIRST 3 ROWS ONLY
SELECT count(*) FROM orders
SELECT count() FROM orders
SELECT count(DISTINCT status), sum(total), avg(total), min(day), max(day) FROM orders
SELECT median(total), quantile_cont(total, 0.9), quantile_disc(total, [0.1, 0.9]), mode(status) FROM orders
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders
SELECT stddev(total), var_pop(total), skewness(total), kurtosis(total), corr(total, order_id) FROM orders
SELECT string_agg(status, ', ' ORDER BY status), list(status ORDER BY day DESC), array_agg(DISTINCT status) FROM orders
SELECT first(status ORDER BY day), last(status), any_value(status), arg_max(status, total), arg_min(status, total) FROM orders
SELECT max_by(status, total, 2), min(total, 3), max(total, 3) FROM orders
SELECT bool_and(paid), bool_or(paid), bit_and(order_id), bit_or(order_id), bit_xor(order_id) FROM orders
SELECT count(*) FILTER (WHERE paid), sum(total) FILTER (total > 5) FROM orders
SELECT count_if(paid), approx_count_distinct(status), approx_quantile(total, 0.5), histogram(status) FROM orders
SELECT product(1 + order_id % 2), geomean(total + 1), entropy(status), mad(total), sem(total) FROM orders
SELECT regr_slope(total, order_id), regr_intercept(total, order_id), covar_pop(total, order_id) FROM orders
SELECT status, sum(total) AS s FROM orders GROUP BY status HAVING sum(total) > 10
SELECT status, sum(total) AS s FROM orders GROUP BY status HAVING s > 10 ORDER BY s
SELECT status, sum(total) FROM orders GROUP BY 1
SELECT status, paid, sum(total) FROM orders GROUP BY ROLLUP (status, paid)
SELECT status, paid, sum(total), grouping(status) FROM orders GROUP BY CUBE (status, paid)
SELECT status, paid, sum(total), grouping_id(status, paid) FROM orders GROUP BY GROUPING SETS ((status), (paid), ())
SELECT date_trunc('month', day) AS month, sum(total) FROM orders GROUP BY month ORDER BY month
SELECT year(day) y, month(day) m, count(*) FROM orders GROUP BY y, m
SELECT extract(year FROM day), extract('dow' FROM day), date_part('quarter', day) FROM orders
SELECT dayname(day), monthname(day), week(day), dayofyear(day), last_day(day) FROM orders
SELECT day + INTERVAL 1 DAY, day - INTERVAL '2 months', day + 7, day - DATE '2025-01-01' FROM orders
SELECT day + INTERVAL (order_id) DAY, INTERVAL 3 HOURS, to_days(3), to_months(2) FROM orders
SELECT date_diff('day', day, DATE '2026-01-01'), datediff('month', day, moment), date_sub('week', day, moment) FROM orders
SELECT strftime(day, '%Y-%m'), strptime('2025-01-02', '%Y-%m-%d'), try_strptime('x', '%Y') FROM orders
SELECT epoch(moment), epoch_ms(moment), to_timestamp(0) IS NULL, make_date(2025, 1, 2), make_timestamp(2025, 1, 2, 3, 4, 5.5) FROM orders
SELECT time_bucket(INTERVAL '1 week', day), count(*) FROM orders GROUP BY 1
SELECT current_date, current_timestamp IS NULL, now() IS NULL, today()
SELECT age(TIMESTAMP '2025-01-01', TIMESTAMP '2024-01-01'), (moment AT TIME ZONE 'UTC') IS NULL FROM orders
SELECT DATE '2025-01-01', TIMESTAMP '2025-01-01 10:00:00', TIME '10:00:00', INTERVAL '1 day'
SELECT day BETWEEN '2025-01-01' AND '2025-12-31', day NOT BETWEEN DATE '2025-01-01' AND DATE '2025-02-01' FROM orders
SELECT status IN ('A', 'B'), status NOT IN ('A'), order_id IN (SELECT order_id FROM items) FROM orders
SELECT (order_id, status) IN (SELECT order_id, status FROM orders) FROM orders
SELECT * FROM orders WHERE status LIKE 'A%' AND status NOT LIKE '%\_%' ESCAPE '\'
SELECT * FROM orders WHERE status ILIKE 'a%' OR status NOT ILIKE '%b'
SELECT * FROM orders WHERE status SIMILAR TO '[A-Z]+' OR status ~ 'x.*' OR status GLOB 'A*'
SELECT * FROM orders WHERE regexp_matches(status, '^A', 'i') OR regexp_full_match(status, 'B')
SELECT regexp_extract(status, '(.)(.*)', 1), regexp_replace(status, 'A', 'b', 'g'), regexp_extract_all(status, '.') FROM orders
SELECT regexp_split_to_array(status, 'e'), string_split(status, 'e'), split_part(status, 'e', 1) FROM orders
SELECT * FROM orders WHERE status IS NULL OR status IS NOT NULL OR paid IS TRUE OR paid IS NOT FALSE OR paid ISNULL
SELECT * FROM orders WHERE status IS DISTINCT FROM 'A' AND total IS NOT DISTINCT FROM 3
SELECT * FROM orders WHERE total > ANY (SELECT price FROM items) AND total >= ALL (SELECT 0)
SELECT * FROM orders WHERE order_id = ANY([1, 2, 3])
SELECT * FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.order_id)
SELECT * FROM orders o WHERE NOT EXISTS (FROM items i WHERE i.order_id = o.order_id)
SELECT (SELECT max(price) FROM items), (SELECT count(*) FROM items i WHERE i.order_id = o.order_id) FROM orders o
SELECT ARRAY(SELECT price FROM items ORDER BY 1)
SELECT CASE WHEN total > 5 THEN 'big' WHEN total IS NULL THEN 'none' ELSE 'small' END FROM orders
SELECT CASE status WHEN 'A' THEN 1 ELSE 2 END, if(paid, 1, 2), ifnull(status, '?'), nullif(status, 'A') FROM orders
SELECT coalesce(status, 'x'), greatest(1, 2, total), least(1, total) FROM orders
SELECT total::INTEGER, CAST(total AS VARCHAR), TRY_CAST(status AS INTEGER), total::DECIMAL(10, 1) FROM orders
SELECT '2025-01-01'::DATE, '1'::HUGEINT, 'x'::BLOB, '{"a": 1}'::JSON, '[1]'::INTEGER[], 'a'::ENUM('a', 'b')
SELECT {'a': 1}::STRUCT(a BIGINT), MAP {'a': 1}::MAP(VARCHAR, INTEGER), [1, 2, 3]::INTEGER[3], 1::UNION(n INTEGER, t VARCHAR)
SELECT 1 + 2 - 3 * 4 / 5 // 6 % 7, 2 ** 3, 2 ^ 3, -1, +1, @ -1, 5!, ~5, 1 << 2, 8 >> 1, 5 & 3, 5 | 3, xor(5, 3)
SELECT 1 = 1, 1 == 1, 1 <> 2, 1 != 2, 1 < 2, 1 <= 2, 2 > 1, 2 >= 1, NOT true, true AND false, true OR false
SELECT 'a' || 'b', concat('a', 1, NULL), concat_ws('-', 'a', 'b'), 'abc' ^@ 'a'
SELECT upper(status), lower(status), length(status), trim('  a '), ltrim(' a'), rtrim('a '), reverse('abc') FROM orders
SELECT substring('hello' FROM 2 FOR 3), substr('hello', 2), 'hello'[1:2], left('hello', 2), right('hello', 2), position('l' IN 'hello')
SELECT lpad('a', 3, '-'), rpad('a', 3, '-'), repeat('a', 3), replace('a', 'a', 'b'), translate('abc', 'a', 'x'), strip_accents('é')
SELECT starts_with('ab', 'a'), ends_with('ab', 'b'), contains('ab', 'a'), prefix('ab', 'a'), suffix('ab', 'b'), instr('ab', 'b')
SELECT format('{} and {:.2f}', 'a', 1.5), printf('%d %s', 1, 'a'), format_bytes(1000), chr(65), ascii('A'), unicode('é')
SELECT md5('a'), sha256('a'), hash('a'), hex('a'), unhex('61'), base64('a'::BLOB), from_base64('YQ=='), bin(5), url_encode('a b')
SELECT levenshtein('a', 'b'), jaccard('ab', 'bc'), jaro_winkler_similarity('a', 'b'), hamming('a', 'b'), damerau_levenshtein('a', 'b')
SELECT abs(-1), ceil(1.5), floor(1.5), round(1.55, 1), trunc(1.5), sign(-1), sqrt(4), cbrt(8), exp(1), ln(2), log(10), log2(8), power(2, 3)
SELECT sin(1), cos(1), tan(1), asin(1), acos(1), atan(1), atan2(1, 2), pi(), degrees(1), radians(1), mod(5, 3), gcd(4, 6), lcm(4, 6)
SELECT isnan('nan'::DOUBLE), isinf('inf'::DOUBLE), isfinite(1.0), even(3), factorial(3), gamma(3), bit_count(5)
SELECT random() > 2, gen_random_uuid() IS NULL, uuid() IS NULL
SELECT typeof(total), pg_typeof(status), alias(total) FROM orders
SELECT [1, 2, 3], list_value(1, 2), [1, 2, 3][1], [1, 2, 3][-1], [1, 2, 3][1:2], [1, 2, 3][2:], [1, 2, 3, 4][1:4:2]
SELECT list_sum([1, 2]), list_avg([1, 2]), list_max([1]), list_sort([2, 1]), list_distinct([1, 1]), list_contains([1], 1), len([1])
SELECT list_transform([1, 2], lambda x: x + 1), list_filter([1, 2], lambda x: x > 1), list_reduce([1, 2], lambda a, b: a + b)
SELECT '{"a": {"b": 1}}'::JSON -> 'a' ->> 'b'
SELECT [1, 2].list_transform(lambda x: x * 2).list_filter(lambda x: x > 2)
SELECT list_transform([1, 2], lambda x, i: x * i)
SELECT list_transform([[1], [2, 3]], lambda l: list_transform(l, lambda x: x + len(l)))
SELECT [x + 1 FOR x IN [1, 2, 3] IF x > 1]
SELECT [o FOR o IN list(total) IF o IS NOT NULL] FROM orders
SELECT list_zip([1], ['a']), flatten([[1], [2]]), list_concat([1], [2]), [1] || [2], array_append([1], 2), list_slice([1, 2], 1, 1)
SELECT list_has_any([1], [1]), list_has_all([1], [1]), list_intersect([1], [1]), [1] && [1], [1] @> [1], 1 IN [1, 2]
SELECT range(3), generate_series(1, 3), range(1, 10, 2), list_unique([1, 1]), list_position([1, 2], 2), array_to_string([1, 2], ',')
SELECT unnest([1, 2, 3])
SELECT unnest([{'a': 1}, {'a': 2}], recursive := true)
SELECT unnest({'a': 1, 'b': 2})
SELECT o.order_id, u.x FROM orders o, unnest([1, 2]) AS u(x)
FROM unnest([1, 2, 3]) AS t(x)
FROM range(10)
FROM range(0, 10, 2) AS r(i)
FROM generate_series(1, 3) g(i)
SELECT i, j FROM range(3) a(i), range(3) b(j) WHERE i < j
SELECT * FROM repeat('a', 3)
SELECT {'a': 1, 'b': 'x'} AS s, s['b'], struct_extract(s, 'a'), row(1, 2), struct_pack(k := 1), struct_insert({'a': 1}, b := 2)
SELECT (s).a FROM (SELECT {'a': 1} AS s)
SELECT s.* FROM (SELECT {'a': 1, 'b': 2} AS s)
SELECT MAP {'k': 1}, MAP {'k': 1}['k'], map([1], ['a']), map_keys(MAP {'k': 1}), map_entries(MAP {'k': 1}), cardinality(MAP {'k': 1})
SELECT json_extract('{"a": [1]}', '$.a[0]'), '{"a": 1}'::JSON -> 'a', '{"a": 1}'::JSON ->> '$.a', json_extract_string('{"a": 1}', 'a')
SELECT to_json({'a': 1}), json_object('a', 1), json_array(1, 2), json_keys('{"a": 1}'), json_array_length('[1]'), json_valid('x'), json_type('1')
SELECT json_group_array(status), json_group_object(order_id::VARCHAR, total) FROM orders
SELECT json_structure('{"a": 1}'), from_json('{"a": 1}', '{"a": "INTEGER"}'), json_transform('{"a": 1}', '{"a": "INTEGER"}')
SELECT * FROM json_each('{"a": 1, "b": 2}')
SELECT * FROM json_tree('{"a": {"b": 2}}')
SELECT row_number() OVER (), row_number() OVER (ORDER BY total), rank() OVER (PARTITION BY status ORDER BY total DESC) FROM orders
SELECT dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(4) OVER w FROM orders WINDOW w AS (ORDER BY total)
SELECT lag(total) OVER (ORDER BY day), lead(total, 2, 0) OVER (ORDER BY day), lag(total IGNORE NULLS) OVER (ORDER BY day) FROM orders
SELECT first_value(total) OVER w, last_value(total) OVER w, nth_value(total, 2) OVER w FROM orders WINDOW w AS (PARTITION BY status ORDER BY day)
SELECT sum(total) OVER (ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders
SELECT avg(total) OVER (ORDER BY day ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING EXCLUDE CURRENT ROW) FROM orders
SELECT avg(total) OVER (ORDER BY day RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW) FROM orders
SELECT max(total) OVER (ORDER BY status GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM orders
SELECT count(*) FILTER (WHERE paid) OVER (PARTITION BY status), count(DISTINCT status) OVER () FROM orders
SELECT sum(sum(total)) OVER (ORDER BY status) FROM orders GROUP BY status
SELECT status, total FROM orders QUALIFY row_number() OVER (PARTITION BY status ORDER BY total DESC) = 1
SELECT list(total) OVER (ORDER BY day), string_agg(status, ',') OVER (PARTITION BY paid) FROM orders
SELECT fill(total) OVER (ORDER BY order_id) FROM orders
WITH big AS (SELECT * FROM orders WHERE total > 5) SELECT count(*) FROM big
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b
WITH a(x, y) AS (VALUES (1, 2)) SELECT x + y FROM a
WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT 2 AS y) SELECT * FROM a, b
WITH orders AS (SELECT * FROM orders WHERE paid) SELECT count(*) FROM orders
WITH orders AS (SELECT 1 AS x) SELECT x FROM orders
WITH x AS (SELECT 1 AS n) SELECT * FROM (WITH y AS (SELECT n + 1 AS m FROM x) SELECT * FROM y) z, x
WITH x AS (WITH y AS (SELECT 1 AS n) SELECT n FROM y) FROM x
WITH "my cte" AS (SELECT 1 AS n) SELECT * FROM "my cte"
WITH X AS (SELECT 1 AS n) SELECT * FROM x
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT sum(n) FROM r
WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE n < 10) SELECT * FROM r
WITH RECURSIVE fib(a, b) AS (VALUES (0, 1) UNION ALL SELECT b, a + b FROM fib WHERE b < 100) SELECT a FROM fib
WITH RECURSIVE a AS (SELECT 1 AS n), r AS (SELECT n FROM a UNION ALL SELECT r.n + 1 FROM r, a WHERE r.n < 3) FROM r
WITH RECURSIVE days(d) AS (SELECT min(day) FROM orders UNION ALL SELECT d + 1 FROM days WHERE d < (SELECT max(day) FROM orders)) SELECT count(*) FROM days
SELECT 1 UNION SELECT 2
SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3
SELECT order_id FROM orders EXCEPT SELECT order_id FROM items
SELECT order_id FROM orders INTERSECT SELECT order_id FROM items
SELECT order_id FROM orders EXCEPT ALL SELECT order_id FROM items INTERSECT ALL SELECT order_id FROM items
(SELECT 1 AS a) UNION ALL (SELECT 2) ORDER BY a LIMIT 1
SELECT 1 AS a UNION BY NAME SELECT 2 AS b
SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b, 3 AS a
WITH a AS (SELECT 1 AS x) (SELECT x FROM a UNION ALL SELECT x + 1 FROM a)
SELECT * FROM orders JOIN items USING (order_id)
SELECT * FROM orders JOIN items ON orders.order_id = items.order_id
SELECT * FROM orders INNER JOIN items ON orders.order_id = items.order_id AND items.price > 1
SELECT * FROM orders LEFT JOIN items USING (order_id)
SELECT * FROM orders RIGHT OUTER JOIN items USING (order_id)
SELECT * FROM orders FULL JOIN items USING (order_id)
SELECT * FROM orders CROSS JOIN customers
SELECT * FROM orders, customers WHERE orders.customer_id = customers.customer_id
SELECT * FROM orders NATURAL JOIN items
SELECT * FROM orders SEMI JOIN items USING (order_id)
SELECT * FROM orders ANTI JOIN items USING (order_id)
SELECT * FROM orders POSITIONAL JOIN customers
SELECT * FROM orders o ASOF JOIN items i ON o.order_id = i.order_id AND o.total >= i.price
SELECT * FROM orders o ASOF LEFT JOIN items i ON o.total >= i.price
SELECT * FROM orders o LEFT JOIN LATERAL (SELECT max(price) AS p FROM items i WHERE i.order_id = o.order_id) ON true
SELECT * FROM orders o, LATERAL (SELECT o.total * 2 AS twice) t
SELECT * FROM (orders JOIN items USING (order_id)) JOIN customers USING (customer_id)
SELECT a.order_id FROM orders a JOIN orders b ON a.order_id = b.order_id + 1
SELECT * FROM (SELECT order_id, total FROM orders) AS t(id, amount) WHERE amount > 1
SELECT * FROM (FROM orders) WHERE total > 1
SELECT * FROM (orders)
SELECT * EXCLUDE (total) FROM orders
SELECT * EXCLUDE (total, status) FROM orders
SELECT * REPLACE (total * 2 AS total) FROM orders
SELECT * RENAME (total AS amount) FROM orders
SELECT * LIKE '%id' FROM orders
SELECT * EXCLUDE (orders.total) FROM orders
SELECT COLUMNS('.*_id') FROM orders
SELECT COLUMNS(lambda c: c LIKE '%_id') FROM orders
SELECT COLUMNS(* EXCLUDE (status, day, moment, paid)) + 1 FROM orders
SELECT min(COLUMNS(*)) FROM orders
SELECT coalesce(*COLUMNS(['order_id', 'customer_id'])) FROM orders
SELECT * FROM orders WHERE COLUMNS(['order_id', 'customer_id']) IS NOT NULL
PIVOT orders ON status IN ('A', 'B') USING sum(total)
PIVOT orders ON status IN ('A', 'B') USING sum(total) AS s, count(*) AS n GROUP BY paid
PIVOT orders ON status IN ('A'), paid IN (true, false) USING count(*) GROUP BY customer_id ORDER BY ALL LIMIT 3
FROM orders PIVOT (sum(total) FOR status IN ('A', 'B') GROUP BY paid)
SELECT * FROM (PIVOT orders ON status IN ('A') USING sum(total) GROUP BY paid)
WITH p AS (PIVOT orders ON status IN ('A') USING sum(total) GROUP BY paid) SELECT * FROM p
UNPIVOT (SELECT order_id, customer_id FROM orders) ON order_id, customer_id INTO NAME k VALUE v
FROM (SELECT order_id, customer_id FROM orders) UNPIVOT (v FOR k IN (order_id, customer_id))
FROM (SELECT order_id, customer_id FROM orders) UNPIVOT INCLUDE NULLS (v FOR k IN (order_id, customer_id))
SELECT * FROM orders USING SAMPLE 3 ROWS
SELECT * FROM orders USING SAMPLE 10%
SELECT * FROM orders TABLESAMPLE reservoir(3 ROWS) REPEATABLE (42)
SELECT * FROM orders TABLESAMPLE bernoulli(10%)
DESCRIBE orders
DESC orders
DESCRIBE TABLE orders
DESCRIBE SELECT order_id, total FROM orders
DESCRIBE (FROM orders)
SHOW orders
SHOW TABLES
SUMMARIZE orders
SUMMARIZE SELECT total FROM orders WHERE paid
SELECT column_name FROM (DESCRIBE orders)
SELECT column_name, null_percentage FROM (SUMMARIZE orders)
SELECT * FROM (SHOW TABLES)
SELECT shop.orders.total FROM shop.orders
SELECT * FROM shop.orders
SELECT * FROM "shop"."orders"
SELECT * FROM Shop.Orders AS o WHERE o.total > 1
SELECT * FROM shop.main.orders
SELECT o.total FROM shop.orders o JOIN shop.items i ON o.order_id = i.order_id
SELECT 'shop.orders', "total" FROM shop.orders WHERE status = 'call shop.now'
WITH orders AS (SELECT * FROM shop.orders WHERE paid) SELECT * FROM orders
WITH x AS (SELECT * FROM shop.items) SELECT x.price, shop.orders.total FROM x, shop.orders
SELECT row_number() OVER (PARTITION BY shop.orders.status ORDER BY shop.orders.total) FROM shop.orders
SELECT list_transform([1], lambda x: x + shop.orders.order_id) FROM shop.orders
PIVOT shop.orders ON status IN ('A', 'B') USING sum(total)
DESCRIBE shop.orders
SUMMARIZE shop.orders
SELECT "odd ""table"."a column" FROM "odd ""table"
SELECT * FROM shop."odd ""table"
SELECT t FROM orders t
SELECT o.status.upper(), ('x').upper().lower() FROM orders o
SELECT status.upper() FROM orders
SELECT TRY(order_id / 0), TRY(CAST(status AS INTEGER)) FROM orders
SELECT status COLLATE NOCASE FROM orders ORDER BY status COLLATE NOCASE
SELECT * FROM orders ORDER BY status COLLATE NOACCENT
SELECT x: 42, y: 'a'
SELECT 0xff, 1e3, 1_000, .5, 123456789012345678901234567890, x'41', true, NULL, 'a'::CHAR
SELECT 1 AS "ünïcödé", 'Ελληνικά', '日本語', '🙂'
SELECT #1 FROM orders
SELECT count(*) AS n, n * 2 AS twice FROM orders
SELECT total AS amount FROM orders WHERE amount > 5
SELECT rowid FROM orders
SELECT sum(price * quantity) AS revenue, i.product FROM items i GROUP BY i.product ORDER BY revenue DESC LIMIT 10
SELECT c.city, avg(o.total), count(DISTINCT o.order_id) FROM customers c LEFT JOIN orders o USING (customer_id) GROUP BY c.city
SELECT status, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent FROM orders GROUP BY status
SELECT day, total, total - lag(total) OVER (ORDER BY day) AS change FROM orders ORDER BY day
WITH m AS (SELECT date_trunc('month', day) AS month, sum(total) AS s FROM orders GROUP BY 1) SELECT month, s, s / lag(s) OVER (ORDER BY month) - 1 FROM m
SELECT quantile_cont(total, [0.25, 0.5, 0.75]) AS quartiles FROM orders
SELECT width, count(*) FROM (SELECT floor(total / 10) * 10 AS width FROM orders) GROUP BY width ORDER BY width
SELECT customer_id FROM orders GROUP BY customer_id HAVING count(*) > 1 AND max(total) > (SELECT avg(total) FROM orders)
SELECT o.order_id FROM orders o WHERE o.total = (SELECT max(total) FROM orders p WHERE p.customer_id = o.customer_id)
SELECT status, total FROM orders WHERE (status, paid) = ('A', true)
SELECT CASE WHEN EXISTS (SELECT 1 FROM orders WHERE paid) THEN 'yes' ELSE 'no' END
SELECT date_trunc('week', moment) AS w, count(*) FILTER (WHERE status = 'A') * 1.0 / count(*) AS share FROM orders GROUP BY w
SELECT strftime(moment, '%H') AS hour, count(*) FROM orders GROUP BY hour ORDER BY hour
SELECT * FROM orders WHERE day >= (SELECT max(day) FROM orders) - INTERVAL 30 DAY
SELECT * FROM orders WHERE moment::DATE = DATE '2025-01-01' OR moment >= TIMESTAMP '2025-01-01'
SELECT customer_id, list(order_id ORDER BY day) AS path, len(path) FROM orders GROUP BY customer_id
SELECT customer_id, map_from_entries(list((order_id, total))) FROM orders GROUP BY customer_id
SELECT * FROM (SELECT *, ntile(4) OVER (ORDER BY total) AS quartile FROM orders) WHERE quartile = 4
SELECT o.*, c.* EXCLUDE (customer_id) FROM orders o JOIN customers c USING (customer_id)
SELECT status AS pragma, total AS attach, day AS copy, paid AS "call" FROM orders
SELECT created_at FROM (SELECT moment AS created_at FROM orders)
SELECT "update", "delete" FROM (SELECT 1 AS "update", 2 AS "delete")
SELECT 'please update the records' AS note WHERE 'x;y' = 'x;y'
SELECT /* inline */ 1 /* nested /* comment */ still */ + 1
SELECT 1 -- last line without an end
SELECT DISTINCT c.name FROM customers c WHERE c.name ILIKE '%o''brien%'
SELECT bar(total, 0, 100, 10) FROM orders
SELECT sum(total) FROM orders WHERE status = 'A' AND NOT (paid OR total IS NULL)
SELECT equi_width_bins(0, 10, 2, true)
SELECT histogram(total, [0, 10, 20]) FROM orders
SELECT array_distance([1.0, 2.0]::FLOAT[2], [2.0, 3.0]::FLOAT[2]), list_cosine_similarity([1.0], [1.0])
SELECT encode('a'), decode('a'::BLOB), strlen('é'), octet_length('a'::BLOB), bit_length('a'), 'a' < 'b'
SELECT union_tag(union_value(k := 1)), enum_range(NULL::ENUM('a', 'b'))
SELECT date_trunc('month', day)::DATE AS month, status, sum(total) FROM orders GROUP BY ALL HAVING sum(total) IS NOT NULL ORDER BY month, 3 DESC
SELECT least(*COLUMNS(['order_id', 'customer_id'])) FROM orders
SELECT o1.status, o2.status FROM orders o1 LEFT JOIN orders o2 ON o1.customer_id = o2.customer_id AND o1.day < o2.day
SELECT (SELECT list(x) FROM (SELECT unnest([3, 1, 2]) AS x ORDER BY x))
SELECT i.product, sum(i.quantity) FROM items AS i WHERE i.order_id IN (SELECT order_id FROM orders WHERE paid) GROUP BY 1 ORDER BY 2 DESC, 1
SELECT EXISTS (FROM orders WHERE total > 1000) AS any_big, NOT EXISTS (FROM items) AS none
SELECT min(total), max(total) - min(total) AS spread, spread / count(*) AS step FROM orders
SELECT 'getenv(''HOME'')', 'DROP TABLE orders; --' FROM orders
SELECT "a column" FROM "odd ""table"
FROM orders o JOIN items USING (order_id) SELECT o.status, sum(price * quantity) AS total GROUP BY ALL ORDER BY ALL LIMIT 5
SELECT status, quantile_cont(total, [0.25, 0.5]) FROM orders GROUP BY status
SELECT date_trunc('month', day) m, count(*) FILTER (WHERE paid) FROM orders GROUP BY m HAVING count(*) > 1
SELECT [x * 2 FOR x IN [1, 2, 3] IF x > 1]
SELECT * FROM orders ASOF JOIN items ON orders.order_id >= items.order_id
SELECT arg_max(status, total), histogram(status), approx_count_distinct(status) FROM orders
SELECT regexp_extract(status, '(a)(b)?', ['x', 'y']) FROM orders
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
SELECT lag(total) OVER w, avg(total) OVER (w ROWS 2 PRECEDING) FROM orders WINDOW w AS (ORDER BY day)
UNPIVOT (SELECT order_id, total, paid::INT AS p FROM orders) ON total, p INTO NAME n VALUE v
SELECT * FROM orders WHERE (status, paid) IN (('a', true), ('b', false)) -- comment ; drop
SELECT strftime(moment, '%Y-%m'), epoch_ms(moment), CAST(moment AT TIME ZONE 'UTC' AS VARCHAR) FROM orders
SELECT list_sort(list(DISTINCT status)), string_agg(status, ',' ORDER BY day DESC) FROM orders
