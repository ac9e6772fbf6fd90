"""`[http]`: what happens is counted, and shown to Prometheus and to load balancers.

`counts` and `lag` do so in the hot path and know no more of Prometheus than that it adds up buckets;
`collector` makes its metrics of them when they are asked for; `pages` and `site` answer over HTTP. The last
three are imported only where `[http]` is.
"""
