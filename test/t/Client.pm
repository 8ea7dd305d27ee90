# What the tests of the client program share: running it, in the background and on a terminal too, files for it, and a
# reader of docs/client.schema.json.
package Client;

use strict;
use warnings;

use Dbvc;
use Exporter 'import';
use File::Basename;
use File::Path;
use IO::Pty;
use IO::Select;
use IPC::Run;
use JSON::PP;
use POSIX ':sys_wait_h';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(client_uses new_db put_files events sound client client_is client_says client_json client_schema
  client_start client_end client_signal pty_works pty_start pty_until pty_type pty_echo
  pty_shown pty_end);

my $node;
my $db = 'postgres';
my $count = 0;
my $timeout = $PostgreSQL::Test::Utils::timeout_default;

# client_uses(NODE, [DATABASE]): where the program goes from now on
sub client_uses
{
	($node, $db) = (shift, shift // 'postgres');
}

# new_db([DDL]): a database of its own with dbvc, which the program uses from now on; its name
sub new_db
{
	my ($ddl) = @_;

	$db = 'db' . ++$count;
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	$node->safe_psql($db, 'CREATE EXTENSION dbvc; ' . ($ddl // ''));
	return $db;
}

# put_files(DIR, NAME => TEXT...): bytes as they are; undef removes
sub put_files
{
	my ($dir, %files) = @_;

	foreach my $name (sort keys %files)
	{
		my $path = "$dir/$name";

		if (!defined $files{$name})
		{
			unlink $path or die "cannot remove $path: $!";
			next;
		}
		mkpath(dirname($path));
		open(my $file, '>:raw', $path) or die "cannot write $path: $!";
		print $file $files{$name};
		close($file) or die "cannot write $path: $!";
	}
}

# events(): all that is recorded in the database in use
sub events
{
	return $node->safe_psql($db, q{SELECT string_agg(event_type || COALESCE(' ' || migration_id, ''), ', ' ORDER BY id) FROM dbvc.change_event});
}

# sound(NAME): every record in the database in use holds
sub sound
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql($db, q{SELECT id, "check", detail FROM dbvc.migration_verify() WHERE NOT ok}), '', "$name: every record holds");
}

# What the program finds around it; {env} adds to it, undef takes away
sub environment
{
	my ($opt) = @_;
	my %env = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $opt->{db} // $db, PGUSER => $opt->{user} // 'postgres',
		PGAPPNAME => $opt->{name} // 'client', %{ $opt->{env} // {} });

	delete $env{$_} foreach (grep { !defined $env{$_} } keys %env);
	return %env;
}

# Options in front, which may be left out
sub with_options { return ref $_[0] eq 'HASH' ? @_ : ({}, @_); }

# client_start([{user, db, name, env, wrap},] ARGUMENT...): the program in the background. Its application_name is
# {name}; {wrap} is a command that starts it.
sub client_start
{
	my ($opt, @args) = with_options(@_);
	my $job = { in => '', out => '', err => '', args => "@args" };

	local %ENV = environment($opt);
	# what nohup or a shell in the background ignores would be ignored by the client too
	local @SIG{qw(HUP INT TERM)} = ('DEFAULT') x 3;
	$job->{run} = IPC::Run::start([ @{ $opt->{wrap} // [] }, 'dbvc', @args ], '<', \$job->{in}, '>', \$job->{out}, '2>', \$job->{err},
		IPC::Run::timeout($timeout));
	$job->{pid} = $job->{run}{KIDS}[0]{PID};
	return $job;
}

# client_end(JOB): wait for it; its exit status, or -SIGNAL
sub client_end
{
	my ($job) = @_;
	my $result;

	$job->{run}->finish;
	$result = ($job->{run}->full_results)[0];
	$job->{status} = $result & 127 ? -($result & 127) : $result >> 8;
	return $job->{status};
}

sub client_signal
{
	my ($job, $signal) = @_;

	kill($signal, $job->{pid}) == 1 or die "cannot signal the client: $!";
}

# client([{...},] ARGUMENT...): run it; {status}, {out}, {err}
sub client
{
	my $job = client_start(@_);

	client_end($job);
	return $job;
}

# client_is(STATUS, NAME, [{...},] ARGUMENT...): run it and look at the exit status; the job
sub client_is
{
	my ($status, $name, @args) = @_;
	my $job = client(@args);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($job->{status}, $status, $name) or diag("dbvc $job->{args}\nstdout: $job->{out}\nstderr: $job->{err}");
	return $job;
}

# client_says(STATUS, PATTERN, NAME, [{...},] ARGUMENT...): the same, and what it says on stdout and stderr together
sub client_says
{
	my ($status, $pattern, $name, @args) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $job = client_is($status, $name, @args);
	like($job->{out} . $job->{err}, $pattern, "... $name: says why");
	return $job;
}

# ---- the JSON document ----

my $schema;

# Does a value fit a schema? What does not, one line each.
sub misfits
{
	my ($value, $rule, $at) = @_;
	my @wrong;

	return misfits($value, $schema->{'$defs'}{ $rule->{'$ref'} =~ s{^#/\$defs/}{}r } // die("no $rule->{'$ref'}"), $at) if $rule->{'$ref'};
	return () if !ref $rule;
	if ($rule->{anyOf})
	{
		return "$at: fits none of anyOf" unless grep { !misfits($value, $_, $at) } @{ $rule->{anyOf} };
	}
	if (defined(my $type = $rule->{type}))
	{
		return "$at: is " . json_type($value) . ', not ' . join(' or ', ref $type ? @$type : $type)
		  unless grep { $_ eq json_type($value) || $_ eq 'number' && json_type($value) eq 'integer' } (ref $type ? @$type : $type);
	}
	if ($rule->{enum} && !grep { json_text($_) eq json_text($value) } @{ $rule->{enum} })
	{
		push @wrong, "$at: " . json_text($value) . ' is not in the list';
	}
	push @wrong, "$at: is not the constant" if exists $rule->{const} && json_text($rule->{const}) ne json_text($value);
	push @wrong, "$at: '$value' does not match" if defined $rule->{pattern} && !ref $value && defined $value && $value !~ /$rule->{pattern}/;
	push @wrong, "$at: $value is too small" if defined $rule->{minimum} && defined $value && $value < $rule->{minimum};
	if (ref $value eq 'ARRAY' && $rule->{items})
	{
		push @wrong, map { misfits($value->[$_], $rule->{items}, "$at\[$_]") } (0 .. $#$value);
	}
	if (ref $value eq 'HASH')
	{
		push @wrong, map { "$at: has no $_" } grep { !exists $value->{$_} } @{ $rule->{required} // [] };
		foreach my $key (sort keys %$value)
		{
			my $inner = ($rule->{properties} // {})->{$key} // $rule->{additionalProperties};

			push @wrong, "$at: has $key" if defined $inner && !ref $inner && !$inner;
			push @wrong, misfits($value->{$key}, $inner, "$at.$key") if ref $inner eq 'HASH';
		}
	}
	return @wrong;
}

# client_schema(): whether there is one
sub client_schema
{
	my $path = dirname(__FILE__) . '/../../docs/client.schema.json';

	$schema //= -f $path ? decode_json(slurp_file($path)) : {};
	return %$schema > 0;
}

sub json_text { return JSON::PP->new->canonical->allow_nonref->encode($_[0]); }

sub json_type
{
	my ($value) = @_;

	return 'null' if !defined $value;
	return 'object' if ref $value eq 'HASH';
	return 'array' if ref $value eq 'ARRAY';
	return 'boolean' if JSON::PP::is_bool($value);
	return json_text($value) =~ /^"/ ? 'string' : json_text($value) =~ /^-?\d+$/ ? 'integer' : 'number';
}

# client_json(STATUS, NAME, [{...},] ARGUMENT...): run it with --json; stdout must be one document as the schema has it;
# the document, with {stderr} beside its own keys
sub client_json
{
	my ($status, $name, @rest) = @_;
	my ($opt, @args) = with_options(@rest);
	my $job = client($opt, @args, '--json');
	my ($document, @wrong);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	client_schema();
	eval { $document = JSON::PP->new->utf8->decode($job->{out}) };
	@wrong = $document ? misfits($document, $schema, '$') : ("no JSON: $@");
	push @wrong, "exit_status $document->{exit_status} in it" if $document && $document->{exit_status} != $status;
	push @wrong, "exit status $job->{status}" if $job->{status} != $status;
	push @wrong, 'it does not end with its line' if $job->{out} !~ /\}\n\z/;
	is(join("\n", @wrong), '', "$name: --json, status $status") or diag("dbvc $job->{args}\nstdout: $job->{out}\nstderr: $job->{err}");
	$document //= {};
	$document->{stderr} = $job->{err};
	return $document;
}

# ---- on a terminal ----

# pty_works(): whether there are pseudo-terminals; says so if not
sub pty_works
{
	my $works = -e '/dev/ptmx' && -d '/dev/pts' && eval { IO::Pty->new };

	diag('NOT TESTED: the client on a terminal, for want of pseudo-terminals') unless $works;
	return $works;
}

# pty_start([{..., columns, stdout, stderr},] ARGUMENT...): the program on a pseudo-terminal; {stdout} and {stderr} name
# files that they go to instead
sub pty_start
{
	my ($opt, @args) = with_options(@_);
	my $pty = IO::Pty->new or die "no pseudo-terminal: $!";
	my $job = { pty => $pty, out => '', args => "@args" };
	my %env = environment({ %$opt, env => { TERM => 'xterm', NO_COLOR => undef, %{ $opt->{env} // {} } } });

	$pty->set_winsize(24, $opt->{columns} // 100, 0, 0);
	$job->{pid} = fork() // die "cannot fork: $!";
	if ($job->{pid} == 0)
	{
		my $terminal = $pty->slave;

		eval {
			$pty->make_slave_controlling_terminal;
			open(STDIN, '<&', $terminal) or die;
			open(STDOUT, '>&', $terminal) or die;
			open(STDERR, '>&', $terminal) or die;
			open(STDOUT, '>', $opt->{stdout}) or die if defined $opt->{stdout};
			open(STDERR, '>', $opt->{stderr}) or die if defined $opt->{stderr};
			%ENV = %env;
			exec('dbvc', @args);
		};
		POSIX::_exit(127);
	}
	$pty->close_slave;
	return $job;
}

# Add what comes; false at the end of all
sub pty_read
{
	my ($job, $seconds) = @_;
	my $bytes;

	return 1 unless IO::Select->new($job->{pty})->can_read($seconds);
	return 0 unless sysread($job->{pty}, $bytes, 65536);
	$job->{out} .= $bytes;
	return 1;
}

# pty_until(JOB, PATTERN): read until it is there; false when it does not come
sub pty_until
{
	my ($job, $pattern) = @_;
	my $end = time + $timeout;

	while ($job->{out} !~ $pattern)
	{
		return 0 if time > $end || !pty_read($job, 0.2);
	}
	return 1;
}

sub pty_type
{
	my ($job, $keys) = @_;

	syswrite($job->{pty}, $keys) == length($keys) or die "cannot type: $!";
}

# Does the terminal show what is typed? Linux answers for the other side.
sub pty_echo
{
	my ($job) = @_;
	my $state = POSIX::Termios->new;

	$state->getattr(fileno($job->{pty})) or die "no state of the terminal: $!";
	return ($state->getlflag & POSIX::ECHO()) != 0;
}

# The end of what it says, for a message
sub pty_shown
{
	my ($job) = @_;

	return explain(substr($job->{out}, -500));
}

# pty_end(JOB, [KEEP]): all that it says, and its exit status, or -SIGNAL
sub pty_end
{
	my ($job, $keep) = @_;
	my $end = time + $timeout;

	while (pty_read($job, 0.2))
	{
		next if time < $end;
		kill('KILL', $job->{pid});
		last;
	}
	waitpid($job->{pid}, 0);
	$job->{status} = $? & 127 ? -($? & 127) : $? >> 8;
	$job->{pty}->close unless $keep;
	return $job->{status};
}

1;
