using System.CommandLine;
using Ingot.Lab;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot profile step`: where the time of a recipe's training step goes.</summary>
internal static class ProfileStepCommand
{
    private const int MostLayers = 16, MostCalls = 10;

    public static Command Create()
    {
        var recipe = new Argument<string?>("recipe") { Description = "The recipe, a JSON file.", Arity = ArgumentArity.ZeroOrOne };
        Option<int> steps = NumberOption.Create("steps", "Steps that are measured, after one that is not; and as many without "
            + "measuring calls.", 10);
        var output = new Option<string?>("--output")
        {
            Description = "Folder for profile.json (for `profile diff`), trace.json (for ui.perfetto.dev) and profile.html.",
            HelpName = "dir",
        };
        var command = new Command("step", "Run training steps of a recipe on random tokens, and say where their time goes.") { recipe,
            steps, output };
        var options = new RecipeOptions(command, OptionKey.All.Where(key => key.PropertyName != nameof(TrainingOptions.OutputDir)),
            "attention=naive");
        command.SetAction(result => Run(Recipe.Load(result.GetValue(recipe), options.Read(result), needsData: false),
            BenchCommand.AtLeastOne(steps, result.GetValue(steps)), result.GetValue(output)));
        HelpPage.Describe(command, """
            ingot profile step recipes/jargon.json
            ingot profile step --model gpt2-124m --perDeviceTrainBatchSize 1 --precision bf16 --output profiles/bf16
            ingot profile step recipes/jargon.json --kernel attention=mine --plugin build/libmine.so --output profiles/mine
            """, RecipeOptions.WriteHelp);
        return command;
    }

    private static int Run(TrainingOptions options, int steps, string? output)
    {
        using var interruption = new Interruption();
        StepProfileResult profile;
        try
        {
            profile = StepProfile.Run(options, steps, message => Console.Error.WriteLine($"{message} ..."), interruption.Token);
        }
        catch (OperationCanceledException)
        {
            return interruption.ExitCode;
        }

        Write(profile);
        if (output is not null)
        {
            Directory.CreateDirectory(output);
            profile.ToFile().Write(Path.Combine(output, "profile.json"));
            ChromeTrace.Write(Path.Combine(output, "trace.json"), profile);
            ProfilePage.Write(Path.Combine(output, "profile.html"), profile);
            Console.WriteLine();
            Console.WriteLine($"{output}: profile.json (for `ingot profile diff`), trace.json (for ui.perfetto.dev), profile.html");
        }

        return ExitCodes.Success;
    }

    private static void Write(StepProfileResult profile)
    {
        Samples all = profile.Steps;
        Console.WriteLine($"{profile.What}, on {profile.Device}");
        Console.WriteLine($"ceilings       matmul {profile.Ceilings.MatmulFlops / 1e9:N1} GFLOP/s, memory "
            + $"{profile.Ceilings.Bandwidth / 1e9:N1} GB/s");
        Console.WriteLine($"step           {1e3 * all.Median:N2} ms ± {all.Spread:P1}, {profile.Tokens / all.Median:N0} tokens/s");
        Console.WriteLine($"of the ceiling {profile.Calls.Sum(call => profile.Ceilings.Roof(call.Flops, call.Bytes)) / all.Median:P1}");
        Console.WriteLine($"moved          {profile.Calls.Sum(call => call.Bytes) / 1e6:N1} MB, "
            + $"{profile.Calls.Sum(call => call.Flops) / 1e9:N2} GFLOP in {profile.Calls.Count:N0} calls");
        Console.WriteLine($"between calls  {1e3 * profile.Between.Median:N2} ms, {profile.Between.Median / all.Median:P1}");
        Console.WriteLine($"measuring      {profile.Overhead:P1} on top of the fastest step without it, {1e3 * profile.Plain.Best:N2} ms");
        WriteRows(profile, "kernel", [.. profile.Sums("kernel", call => call.Name)]);
        ProfileEntry[] layers = [.. profile.Sums("layer", call => call.Layer)];
        WriteRows(profile, "layer", layers[..Math.Min(layers.Length, MostLayers)]);
        WriteRows(profile, "slowest calls", [.. profile.Calls.OrderByDescending(call => call.Times.Median).Take(MostCalls)
            .Select(call => new ProfileEntry("call", $"{call.Name} {call.Label} {Shorten(call.Operands)}", 1, call.Flops, call.Bytes,
                call.Times.Seconds))]);
    }

    private static string Shorten(string operands) => operands.Length <= 60 ? operands : operands[..57] + "...";

    private static void WriteRows(StepProfileResult profile, string title, ProfileEntry[] entries)
    {
        Console.WriteLine();
        Console.WriteLine($"   share         ms       ±  calls   GFLOP/s      GB/s  of the ceiling  {title}");
        foreach (ProfileEntry entry in entries)
        {
            Samples times = entry.ToSamples();
            double seconds = Math.Max(times.Median, 1e-12);
            Console.WriteLine($"{times.Median / profile.Steps.Median,8:P1}  {1e3 * times.Median,9:N3}  {times.Spread,6:P1}  {entry.Calls,5}"
                + $"  {entry.Flops / seconds / 1e9,8:N1}  {entry.Bytes / seconds / 1e9,8:N1}"
                + $"  {profile.Ceilings.Roof(entry.Flops, entry.Bytes) / seconds,14:P1}  {entry.Name}");
        }
    }
}
