# What the TAP tests of dbvc share: a server with the extension, sessions in the background, and waiting for things
# to happen instead of sleeping.
package Dbvc;

use strict;
use warnings;

# what hangs shall fail soon
BEGIN { $ENV{PG_TEST_TIMEOUT_DEFAULT} //= 60; }

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(dbvc_node dbvc_register job finish wait_for wait_gone run_sql error_of is_sql kill_9 all_sound);

# dbvc_node(NAME, CONF...): a started server whose database "postgres" has dbvc
sub dbvc_node
{
	my ($name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', "$_\n") foreach (@conf);
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION dbvc');
	return $node;
}

# dbvc_register(NODE, ID, SCRIPT, ARGUMENT => SQL-LITERAL...)
sub dbvc_register
{
	my ($node, $id, $script, %args) = @_;
	my $more = join('', map { ", $_ => $args{$_}" } sort keys %args);

	$node->safe_psql('postgres', "SELECT FROM dbvc.migration_register('$id', \$dbvc\$$script\$dbvc\$$more)");
}

# job(NODE, NAME, SQL...): psql in the background, one message for each SQL; NAME is its application_name. A hash
# reference in front says what else psql is told: user, db, keep_going (do not stop at an error).
sub job
{
	my ($node, $name, @sql) = @_;
	my $opt = ref $sql[0] ? shift @sql : {};
	my $job = { name => $name, out => '', err => '', in => '' };
	my $connstr = $node->connstr($opt->{db} // 'postgres') . " application_name=$name"
	  . ($opt->{user} ? " user=$opt->{user}" : '');
	my @command = (
		'psql', '-XAtq', '-v', 'ON_ERROR_STOP=' . ($opt->{keep_going} ? 0 : 1), '-v', 'VERBOSITY=verbose', '-d', $connstr,
		map { ('-c', $_) } @sql);

	$job->{run} = IPC::Run::start(\@command, '<', \$job->{in}, '>', \$job->{out}, '2>', \$job->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $job;
}

# finish(JOB): wait for its end; true when all of it succeeded
sub finish
{
	my ($job) = @_;

	return $job->{run}->finish;
}

# run_sql(NODE, [{user, db, ...},] SQL...): psql in the foreground; the job when it has ended
sub run_sql
{
	my ($node, @sql) = @_;
	my @opt = ref $sql[0] ? (shift @sql) : ();
	my $job = job($node, 'run_sql', @opt, @sql);

	$job->{ok} = finish($job);
	return $job;
}

# error_of(NODE, [{user, db},] SQL...): what psql says on stderr, notices included; '' when all went well
sub error_of
{
	my $job = run_sql(@_);

	return $job->{ok} ? '' : $job->{err};
}

# is_sql(NODE, SQL, EXPECTED, NAME)
sub is_sql
{
	my ($node, $sql, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql('postgres', $sql), $expected, $name);
}

# wait_for(NODE, SQL): until SQL says true; returns nothing, or dies
sub wait_for
{
	my ($node, $sql) = @_;

	$node->poll_query_until('postgres', $sql) or die "never came true: $sql";
}

# wait_gone(NODE, NAME): until no session of that application_name is left
sub wait_gone
{
	my ($node, $name) = @_;

	wait_for($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = '$name'");
}

# kill_9(NODE, CONDITION): kill -9 the one process that pg_stat_activity shows for CONDITION, and wait for the server
# to be back
sub kill_9
{
	my ($node, $condition) = @_;
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $condition");
	my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

	die "not one process: $condition: '$pid'" unless $pid =~ /^\d+$/;
	kill 'KILL', $pid or die "cannot kill $pid: $!";
	wait_for($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid AND $condition");
}

# all_sound(NODE, NAME): no recorded hash, checksum or state is off, and every record has its texts
sub all_sound
{
	my ($node, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql('postgres', q{SELECT id, "check", detail FROM dbvc.migration_verify() WHERE NOT ok}),
		'', "$name: every record holds");
}

1;
