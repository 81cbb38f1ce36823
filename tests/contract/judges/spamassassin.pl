# Scores messages with SpamAssassin's own rules, without a network, in one go:
#     perl spamassassin.pl FOLDER MESSAGE...
# FOLDER is for its notes; the answer is a JSON list of {"score": ..., "rules": {name: points}}.
use strict;
use warnings;
use JSON::PP;
use Mail::SpamAssassin;

my ($folder, @files) = @ARGV;
my $judge = Mail::SpamAssassin->new({
    local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => "$folder/prefs",
    userstate_dir => $folder, home_dir_for_helpers => $folder,
});
my @verdicts;
for my $file (@files) {
    open(my $handle, '<:raw', $file) or die "$file: $!";
    my @lines = <$handle>;
    my $message = $judge->parse(\@lines);
    my $status = $judge->check($message);
    my %rules = map { $_ => $status->{conf}->{scores}->{$_} + 0 } @{$status->{test_names_hit}};
    push @verdicts, { score => $status->get_score + 0, rules => \%rules };
    $status->finish;
    $message->finish;
}
print JSON::PP->new->canonical->encode(\@verdicts);
