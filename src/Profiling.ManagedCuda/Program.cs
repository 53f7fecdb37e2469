using System.CommandLine;
using System.Globalization;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Profiling.ManagedCuda;
using Ingot.Training;

var module = new Argument<FileInfo>("module") { Description = "PTX, cubin or fatbin with the kernels." };
module.AcceptExistingOnly();
var kernel = new Option<string>("--kernel") { Description = "Beginning of their names: NAME_f32, NAME_bf16, NAME_bf16_f32.",
    DefaultValueFactory = _ => "matmul" };
var preset = new Option<string>("--preset") { Description = "The model whose step's matmuls are taken.", DefaultValueFactory = _ =>
    "gpt2-124m" };
var batch = new Option<int>("--batch") { Description = "Sequences of a step.", DefaultValueFactory = _ => 1 };
var sequence = new Option<int>("--sequence") { Description = "Tokens of a sequence.", DefaultValueFactory = _ => 1024 };
var precision = new Option<string>("--precision") { Description = "fp32 or bf16.", DefaultValueFactory = _ => "bf16" };
precision.AcceptOnlyFromAmong("fp32", "bf16");
var block = new Option<int>("--block") { Description = "Threads of a block in each of two dimensions.", DefaultValueFactory = _ => 16 };
var root = new RootCommand("Times a matmul of your own, loaded at run time, on the tensors of a training step, beside cuBLAS and "
    + "Ingot's own.")
{
    module, kernel, preset, batch, sequence, precision, block,
};
root.SetAction(result =>
{
    try
    {
        return Compare(result);
    }
    catch (Exception e) when (e is IngotException or IOException or ArgumentException or global::ManagedCuda.CudaException
        or global::ManagedCuda.CudaBlas.CudaBlasException or DllNotFoundException)
    {
        Console.Error.WriteLine($"error: {e.Message}");
        return 1;
    }
});
return root.Parse(args).Invoke();

int Compare(ParseResult result)
{
    Device device = DeviceChoice.Find("cuda");
    ModelConfig model = Presets.Find(result.GetRequiredValue(preset))
        ?? throw new ArgumentException($"there is no preset {result.GetValue(preset)}; there are {string.Join(", ", Presets.Names)}");
    var options = new TrainingStepOptions
    {
        Batch = result.GetValue(batch),
        Length = result.GetValue(sequence),
        ComputeType = result.GetValue(precision) == "bf16" ? DType.Bf16 : DType.F32,
    };
    using var parameters = new ParameterStore(device, model.DeclareParameters(), options.ComputeType, training: true);
    parameters.Initialize(1);
    using var step = new TrainingStep(model, parameters, options);
    // One step, so that the tensors hold what they hold in training.
    var random = new Random(1);
    int[] tokens = [.. Enumerable.Range(0, options.Batch * options.Length).Select(_ => random.Next(model.VocabularySize))];
    step.Run(tokens, tokens, 0, 0);

    using var bench = new MatmulBench(device, result.GetRequiredValue(module).FullName, result.GetRequiredValue(kernel),
        result.GetValue(block));
    Console.WriteLine("       M       N       K  dtype       yours ms    cuBLAS ms     Ingot ms  yours/cuBLAS  error");
    foreach (IGrouping<string, OpCall> shape in step.OpCalls.Where(call => call.Op == "matmul").GroupBy(MatmulBench.ShapeOf))
    {
        MatmulTimes times = bench.Measure(shape.First());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{shape.Key}  {times.Own,9:0.0000}    {times.Blas,9:0.0000}    {times.Ingot,9:0.0000}  {times.Blas / times.Own,12:0.0%}  "
                + $"{times.Error:0.0e+0}"));
    }

    return 0;
}
