# dbvc backfill: what it does, what it says, and the bar on a terminal.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Client;
use Dbvc;
use Test::More;

my $node = dbvc_node('client_backfill', 'autovacuum = off');
my $pty = pty_works();
my $db;

client_uses($node);
$db = new_db(q{
	CREATE TABLE "Users" (id bigint PRIMARY KEY, data jsonb);
	INSERT INTO "Users" SELECT i, jsonb_build_object('name', i, 'dreamBook', jsonb_build_array(jsonb_build_object('id', i), i))
		FROM generate_series(1, 3000) i;
	SELECT FROM dbvc.document_adopt('"Users"', '{"dreamBook": "dream"}', options => '{"strict": true}');
});

sub sql
{
	return $node->safe_psql($db, $_[0]);
}

# ---- what is wrong ----

client_says(2, qr/something is missing: it is "dbvc backfill TABLE"/, 'no table', 'backfill');
foreach my $option ('batch', 'max-seconds', 'pause', 'lock-wait', 'max-errors')
{
	client_says(2, qr/--$option wants a number/, "--$option of words", 'backfill', 't', "--$option=many");
	client_says(2, qr/--$option wants a number/, "--$option of less than nothing", 'backfill', 't', "--$option=-1");
}
client_says(2, qr/takes no option --batch/, 'an option of another command', 'status', '--batch=1');
client_says(3, qr/relation "users" does not exist/, 'a table that is not there', 'backfill', 'users');
client_says(3, qr/"pg_class" is not an adopted table/, 'a table that is not adopted', 'backfill', 'pg_class');
is(sql('SELECT count(*) FROM dbvc.document_run'), 0, '... is not on the record');
is(client_json(3, 'a table that is not there', 'backfill', 'users')->{error}{sqlstate}, '42P01', '... says so');

# ---- what it does ----

my $answer = client_json(1, 'out of time', 'backfill', '"Users"', '--batch=100', '--pause=400', '--max-seconds=1');
is($answer->{backfill}{table}, '"Users"', 'the answer names the table');
ok($answer->{backfill}{converted} >= 100 && $answer->{backfill}{remaining} <= 2900
	  && $answer->{backfill}{converted} + $answer->{backfill}{remaining} == 3000, '... what was done and what is left');
sql(q{UPDATE "Users_base" SET data = '{"dreamBook": 1}' WHERE id > 2998});
my $job = client_says(1, qr/\A\d+ documents converted of "Users"  .*\n2 set aside: see dbvc.document_error\n/, 'documents set aside', 'backfill', '"Users"');
unlike($job->{out} . $job->{err}, qr/[\e\r]/, '... plain where it is no terminal');
like($job->{err}, qr/WARNING:  2 documents of public."Users" were set aside\nHINT:/, '... and the server says it');
$answer = client_json(1, 'the same', 'backfill', 'public."Users"');
is_deeply([ @{ $answer->{backfill} }{qw(converted set_aside remaining)} ], [ 0, 2, 0 ], '... as numbers');
client_says(1, qr/more than 1 documents of public."Users" cannot be worked on/, 'too many of them', 'backfill', '"Users"', '--max-errors=1');
sql(q{DELETE FROM "Users" WHERE id > 2998});
client_says(0, qr/\A0 documents converted/, 'nothing to do', 'backfill', '"Users"');
is(client(('backfill', '"Users"', '--quiet'))->{out}, '', '--quiet says nothing');
is(sql(q{SELECT percent, set_aside FROM dbvc.document_status}), '100.0|0', 'everything is converted');

# ---- on a terminal, and stopped ----

SKIP:
{
	skip('no pseudo-terminals', 5) unless $pty;
	my $more = q{INSERT INTO "Users_base" SELECT i, '{"dreamBook": [1]}' FROM generate_series(%d, %d) i};

	sql(sprintf($more, 10001, 11000));
	$job = pty_start('backfill', '"Users"', '--batch=50', '--pause=100');
	ok(pty_until($job, qr/\[#*\.*\] +\d+\.\d %  \d+ of 1000  \d+\/s  .* to go/), 'a bar tells how far it is') or diag(pty_shown($job));
	is(pty_end($job), 0, '... to the end') or diag(pty_shown($job));
	like($job->{out}, qr/\r\e\[K(\e\[\d+m)?1000(\e\[0m)? documents converted of "Users"/, '... which takes its place') or diag(pty_shown($job));
	sql(sprintf($more, 20001, 21000));
	$job = pty_start('backfill', '"Users"', '--batch=50', '--pause=600000');
	pty_until($job, qr/50 of 1000/);
	pty_type($job, "\cC");
	is(pty_end($job), 130, 'Ctrl-C ends it') or diag(pty_shown($job));
	is(sql('SELECT state, done FROM dbvc.document_progress'), 'cancelled|50', '... and keeps what is done');
}
like(client(('completion', 'bash'))->{out}, qr/backfill\) words=".*--max-seconds=/, 'the completion knows it');
like(client(('help', 'backfill'))->{out}, qr/--lock-wait=MS/, 'and the help');

$node->stop;
done_testing();
