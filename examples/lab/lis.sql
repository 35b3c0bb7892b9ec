create database lis;
\c lis
create sequence order_numbers start 260001;
create table orders (number bigint not null default nextval('order_numbers'), control_id text, placer text,
  patient text, code text, placed_at timestamptz not null default now());
create table results (number bigint, value numeric, at timestamptz not null default now());
-- The analyser of the lab: a result for each order.
create function measured() returns trigger security definer language plpgsql as
  $$$$ begin insert into results (number, value) values (new.number, round((random() * 10)::numeric, 1));
  return new; end $$$$;
create trigger analyser after insert on orders for each row execute function measured();
create role reader login password '$reader';
create role engine login password '$engine';
grant select on orders, results to reader, engine;
grant insert on orders to engine;
grant usage on sequence order_numbers to engine;
