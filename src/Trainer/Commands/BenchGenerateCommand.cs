using System.CommandLine;
using Ingot.Bindings;
using Ingot.Generation;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot bench generate`: how fast a model of some size reads prompts and writes.</summary>
internal static class BenchGenerateCommand
{
    public static Command Create()
    {
        var preset = new Option<string>("--preset")
        {
            Description = "The model, with random weights: " + string.Join(", ", Ingot.Models.Presets.Names) + ".",
            DefaultValueFactory = _ => "gpt2-124m",
            HelpName = "name",
        };
        Option<int> batch = NumberOption.Create("batch", "Texts that are written side by side.", 1);
        Option<int> prompt = NumberOption.Create("promptTokens", "Tokens of each prompt.", 128);
        Option<int> maxNewTokens = NumberOption.Create("maxNewTokens", "Tokens that are written after each prompt.", 128);
        Option<int> threads = NumberOption.Create("threads", "CPU threads; 0 uses every core.", 0);
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        var calls = new Option<bool>("--calls") { Description = "Also show where the time of a step goes, by kernel." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("generate", "Measure generation: prompts read, and tokens written one after the other.")
        {
            preset, device, batch, prompt, maxNewTokens, precision, threads, calls, json,
        };
        var kernels = new KernelOption();
        kernels.AddTo(command);
        command.SetAction(result =>
        {
            var options = new GenerationBenchmarkOptions
            {
                Model = BenchCommand.FindPreset(result.GetRequiredValue(preset)),
                Device = DeviceOption.Find(result.GetRequiredValue(device)),
                Batch = BenchCommand.AtLeastOne(batch, result.GetValue(batch)),
                PromptTokens = BenchCommand.AtLeastOne(prompt, result.GetValue(prompt)),
                NewTokens = BenchCommand.AtLeastOne(maxNewTokens, result.GetValue(maxNewTokens)),
                ComputeType = PrecisionOption.Find(result.GetRequiredValue(precision)),
                Timed = result.GetValue(calls),
                Kernels = kernels.Read(result),
            };
            NativeRuntime.Threads = result.GetValue(threads);
            GenerationBenchmarkResult figures = GenerationBenchmark.Run(options);
            if (result.GetValue(json))
            {
                WriteJson(result.GetRequiredValue(preset), options, figures);
            }
            else
            {
                WriteText(figures);
            }
        });
        HelpPage.Describe(command, """
            ingot bench generate --precision bf16                  GPT-2 124M, one text
            ingot bench generate --precision bf16 --batch 8        eight texts side by side
            ingot bench generate --calls                           where the time goes
            """);
        return command;
    }

    private static void WriteText(GenerationBenchmarkResult figures)
    {
        Console.WriteLine($"parameters     {figures.Parameters,12:N0}");
        Console.WriteLine($"prompts        {figures.PromptTokensPerSecond,12:N1} tokens/s");
        Console.WriteLine($"written        {figures.TokensPerSecond,12:N1} tokens/s");
        Console.WriteLine($"at best        {figures.BestTokensPerSecond,12:N1} tokens/s   (the fastest tenth of the steps)");
        Console.WriteLine($"weights        {figures.GigabytesPerSecond,12:N1} GB/s   (at best)");
        Console.WriteLine($"peak memory    {figures.PeakMemoryMB,12:N0} MiB");
        if (figures.Calls.Count > 0)
        {
            Console.WriteLine();
            BenchCommand.WriteCalls(figures.Calls);
        }
    }

    private static void WriteJson(string preset, GenerationBenchmarkOptions options,
        GenerationBenchmarkResult figures) => Text.WriteJson(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("preset", preset);
        writer.WriteString("device", options.Device!.Properties.Name);
        writer.WriteNumber("batch", options.Batch);
        writer.WriteNumber("promptTokens", options.PromptTokens);
        writer.WriteNumber("maxNewTokens", options.NewTokens);
        writer.WriteString("precision", options.ComputeType == DType.Bf16 ? "bf16" : "fp32");
        writer.WriteNumber("threads", NativeRuntime.Threads);
        writer.WriteNumber("parameters", figures.Parameters);
        writer.WriteNumber("promptTokensPerSecond", Math.Round(figures.PromptTokensPerSecond, 2));
        writer.WriteNumber("tokensPerSecond", Math.Round(figures.TokensPerSecond, 2));
        writer.WriteNumber("bestTokensPerSecond", Math.Round(figures.BestTokensPerSecond, 2));
        writer.WriteNumber("gigabytesPerSecond", Math.Round(figures.GigabytesPerSecond, 2));
        writer.WriteNumber("peakMemoryMB", Math.Round(figures.PeakMemoryMB, 1));
        writer.WriteEndObject();
    });
}
