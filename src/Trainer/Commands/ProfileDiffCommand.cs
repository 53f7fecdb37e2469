using System.CommandLine;
using Ingot.Lab;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot profile diff`: what became faster or slower from one profile to another, beyond noise or not.</summary>
internal static class ProfileDiffCommand
{
    public static Command Create()
    {
        var before = new Argument<string>("before") { Description = "The first profile, a profile.json." };
        var after = new Argument<string>("after") { Description = "The second." };
        var all = new Option<bool>("--all") { Description = "Also show what is the same within the noise." };
        var command = new Command("diff", "Compare two profiles.") { before, after, all };
        command.SetAction(result => Run(result.GetRequiredValue(before), result.GetRequiredValue(after), result.GetValue(all)));
        HelpPage.Describe(command, """
            ingot profile diff before/profile.json after/profile.json
            """);
        return command;
    }

    private static int Run(string before, string after, bool all)
    {
        ProfileFile first = ProfileFile.Read(before), second = ProfileFile.Read(after);
        Warn("device", first.Device, second.Device);
        Warn("work", first.What, second.What);
        Console.WriteLine($"ceilings  matmul {first.MatmulFlops / 1e9:N1} -> {second.MatmulFlops / 1e9:N1} GFLOP/s, memory "
            + $"{first.Bandwidth / 1e9:N1} -> {second.Bandwidth / 1e9:N1} GB/s");
        foreach (IGrouping<string, EntryDiff> group in ProfileDiff.Compare(first, second).GroupBy(entry => entry.Group).OrderBy(group =>
            Order(group.Key)))
        {
            EntryDiff[] shown = [.. group.Where(entry => all || entry.Verdict != Verdict.Same || group.Key == "step")];
            Console.WriteLine();
            Console.WriteLine($"  before ms    after ms       ms  change    noise  verdict  {group.Key}");
            foreach (EntryDiff entry in shown)
            {
                string change = entry is { Before: > 0, After: { } value } ? $"{(value / entry.Before.Value) - 1:+0.0%;-0.0%}" : "-";
                Console.WriteLine($"{Milliseconds(entry.Before),11} {Milliseconds(entry.After),11}"
                    + $" {1e3 * entry.Difference,8:+0.000;-0.000} {change,7}  {1e3 * entry.Noise,7:N3}  "
                    + $"{entry.Verdict.ToString().ToLowerInvariant(),-7}  {entry.Name}");
            }

            if (group.Count() > shown.Length)
            {
                Console.WriteLine($"  {group.Count() - shown.Length} others are the same within the noise");
            }
        }

        return ExitCodes.Success;
    }

    private static int Order(string group) => Array.IndexOf(["step", "op", "kernel", "layer", "alone"], group);

    private static string Milliseconds(double? seconds) => seconds is { } value ? $"{1e3 * value:N3}" : "-";

    private static void Warn(string what, string first, string second)
    {
        if (first != second)
        {
            Console.Error.WriteLine($"warning: the {what} is not the same: {first}; {second}");
        }
    }
}
